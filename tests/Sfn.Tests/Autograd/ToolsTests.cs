using Sfn.Autograd;
using Sfn.IO;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests.Autograd;

/// <summary>GradCheck, the tape report, user-defined ops, recompute, tensor files.</summary>
public class ToolsTests
{
    /// <summary>y = x³: an op as a user writes it, from tensor operations.</summary>
    private readonly struct Cube : IOp
    {
        public string Name => "cube";
        public Keep Keeps => Keep.A;
        public Tensor Forward(in Inputs x, ref Extras extras) => x.A * x.A * x.A;
        public void Backward(in Saved saved, Tensor dy, IGradients into) => into.Add(0, dy * saved.Inputs.A * saved.Inputs.A * 3.0);
    }

    /// <summary>The same with a wrong gradient.</summary>
    private readonly struct WrongCube : IOp
    {
        public string Name => "wrong_cube";
        public Keep Keeps => Keep.A;
        public Tensor Forward(in Inputs x, ref Extras extras) => x.A * x.A * x.A;
        public void Backward(in Saved saved, Tensor dy, IGradients into) => into.Add(0, dy * saved.Inputs.A * saved.Inputs.A * 3.003);
    }

    /// <summary>An elementwise op as a user writes it: one body for every device and lane.</summary>
    private readonly struct Softsign : IUnary
    {
        public static string Name => "softsign";
        public static Keep Keeps => Keep.A;
        public L Forward<L>(L x) where L : struct, ILane<L> => x / (1.0 + L.Abs(x));
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L>
        {
            L d = 1.0 + L.Abs(x);
            return dy / (d * d);
        }
    }

    [Fact]
    public void UserOpsAreChecked()
    {
        var x = Tensor.Randn([3, 4], 1);
        Assert.True(GradCheck.Check(t => Op.Run(new Cube(), t), x).Passed);
        Assert.True(GradCheck.Check(t => Op.Run(new Map<Softsign>(new()), t), x).Passed);
        var wrong = GradCheck.Check(t => Op.Run(new WrongCube(), t), x);
        Assert.False(wrong.Passed);
        Assert.Contains("FAILED at element", wrong.ToString());
    }

    [Fact]
    public void GradCheckSeesWholeFunctions()
    {
        var w = Tensor.Randn([5, 4], 2, device: Device.Reference).To(DType.F64);
        Assert.True(GradCheck.Check(t => t.Linear(w).Gelu().LogSoftmax(), Tensor.Randn([3, 4], 1)).Passed);
    }

    [Fact]
    public void TheReportListsOpsShapesBytesAndFlops()
    {
        var w = new Parameter("w", Tensor.Randn([8, 16], 1));
        using var tape = new Tape();
        var report = new TapeReport(tape);
        var y = Tensor.Randn([4, 16], 2).Linear(w.Value).Gelu();
        tape.Backward(y.Sum());
        Assert.Equal(["linear", "gelu", "sum"], report.Entries.Select(e => e.Op));
        Assert.Equal(Shape.Create([4, 8]), report.Entries[0].Shape);
        Assert.Equal(2 * 4 * 8 * 16, report.Entries[0].Flops);
        Assert.Equal((4 * 16 + 8 * 16) * 4, report.Entries[0].KeptBytes);
        Assert.All(report.Entries, e => Assert.True(e.BackwardSeconds > 0));
        Assert.Contains("3 ops", report.ToString());
    }

    [Fact]
    public void RecomputeKeepsOnlyTheInput()
    {
        var w = new Parameter("w", Tensor.Randn([64, 64], 1, 0.1f));
        var x = Tensor.Randn([32, 64], 2);
        Tensor F(Tensor t) => t.Linear(w.Value).Gelu().Linear(w.Value).Tanh();
        var (plain, plainBytes) = Run(F);
        var (again, lessBytes) = Run(t => Recompute.Run(F, t));
        Assert.Equal(plain, again);
        Assert.True(lessBytes < plainBytes, $"{lessBytes} bytes with recompute, {plainBytes} without");

        (float[], long) Run(Func<Tensor, Tensor> f)
        {
            w.ClearGradient();
            long before = Memory.Live();
            using var tape = new Tape();
            Tensor y;
            using (var scope = Scope.Open()) y = scope.Return(f(x));
            long held = Memory.Live() - before;
            tape.Backward(y.Sum());
            return (w.Gradient!.ToArray(), held);
        }
    }

    [Fact]
    public void TensorsGoThroughFiles()
    {
        string folder = Directory.CreateTempSubdirectory("sfn-files").FullName;
        try
        {
            Tensor[] all =
            [
                Tensor.Randn([3, 4], 1), Tensor.Randn([2, 2], 2).To(DType.F64), Tensor.Randn([5], 3).To(DType.BF16), Tensor.Arange(7, DType.I32),
                Tensor.Arange(3, DType.U16), Tensor.Arange(3, DType.U8), Tensor.Randn([4], 4).Greater(0), Tensor.Scalar(2.5), Tensor.Zeros([0, 3]),
            ];
            string many = Path.Combine(folder, "all.safetensors");
            TensorFile.SaveSafetensors(many, all.Select((t, i) => KeyValuePair.Create($"t{i}", t)), [KeyValuePair.Create("made", "by a test")]);
            var back = TensorFile.LoadSafetensors(many);
            for (int i = 0; i < all.Length; i++)
            {
                var read = back[$"t{i}"];
                Assert.Equal((all[i].DType, all[i].Shape), (read.DType, read.Shape));
                Assert.Equal(all[i].To(DType.F64).ToArray<double>(), read.To(DType.F64).ToArray<double>());
                if (all[i].DType == DType.BF16) continue;
                string one = Path.Combine(folder, $"{i}.npy");
                TensorFile.SaveNpy(one, all[i]);
                read = TensorFile.LoadNpy(one);
                Assert.Equal((all[i].DType, all[i].Shape), (read.DType, read.Shape));
                Assert.Equal(all[i].To(DType.F64).ToArray<double>(), read.To(DType.F64).ToArray<double>());
            }
            using var file = SafetensorsFile.Open(many);
            Assert.Equal("by a test", file.Metadata["made"]);
            TensorFile.SaveSafetensors(many, [KeyValuePair.Create("view", Tensor.Randn([3, 4], 1).Transpose()[1..])]);
            Assert.Equal(Tensor.Randn([3, 4], 1).Transpose()[1..].ToArray(), TensorFile.LoadSafetensors(many)["view"].ToArray());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

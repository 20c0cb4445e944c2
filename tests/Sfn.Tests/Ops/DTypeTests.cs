using Sfn.Backends;
using Sfn.Backends.Cpu;

namespace Sfn.Tests.Ops;

/// <summary>Element types: bfloat16 in and out, conversions, and what is refused.</summary>
public class DTypeTests : LeakCheck
{
    public static TheoryData<string> Brief => [.. OpTable.All.Where(c => c.Brief).Select(c => c.Name)];

    [Theory, MemberData(nameof(Brief))]
    public void Bfloat16_is_computed_wide_and_rounded(string name)
    {
        var c = OpTable.Find(name);
        var inputs = OpRun.Inputs(c, brief: true);
        var expected = OpRun.Run(c, inputs, DType.F64, Device.Reference, true);
        foreach (var device in OpRun.Devices.Append(Device.Reference))
        {
            var actual = OpRun.Run(c, inputs, DType.BF16, device, true);
            Assert.Equal(expected.Type != DType.F64 ? expected.Type : c.WideResult ? DType.F32 : DType.BF16, actual.Type);
            // Half a unit in the last place of bfloat16 is at most 2⁻⁸ of a value; every rounding inside adds one.
            if (c.WideResult) OpRun.Near(actual.Y, expected.Y, 2 * c.Tolerance, $"{device}: result");
            else if (c.BriefRoundings == 1) RoundedOnce(actual.Y, expected.Y, 2 * c.Tolerance, $"{device}: result");
            else OpRun.Near(actual.Y, expected.Y, c.BriefRoundings / 256, $"{device}: result");
            for (int i = 0; i < inputs.Length; i++)
            {
                if (expected.Gradients[i] is not { } gradient) continue;
                OpRun.Near(actual.Gradients[i]!, gradient, (c.BriefRoundings + 3) / 256, $"{device}: gradient of input {i}");
                if (actual.GradientTypes[i] is { } type) Assert.Equal(c.Args[i].Wide ? DType.F32 : DType.BF16, type);
            }
        }
    }

    // What only sums over its own rounding-free inputs keeps float32's accuracy.
    [Theory]
    [InlineData("linear wide bias residual", 2), InlineData("linear wide bias tf32", 2), InlineData("shuffle_linear wide bias", 3), InlineData("layernorm", 1)]
    [InlineData("layernorm", 2), InlineData("layernorm no bias", 1), InlineData("rmsnorm", 1)]
    public void Gradients_of_float32_operands_are_not_rounded(string name, int input)
    {
        var c = OpTable.Find(name);
        var inputs = OpRun.Inputs(c, brief: true);
        var expected = OpRun.Run(c, inputs, DType.F64, Device.Reference, true);
        foreach (var device in OpRun.Devices.Append(Device.Reference))
            OpRun.Near(OpRun.Run(c, inputs, DType.BF16, device, true).Gradients[input]!, expected.Gradients[input]!, 2e-6, $"{device}");
    }

    [Theory, MemberData(nameof(Brief))]
    public void Layout_and_pieces_do_not_change_a_bfloat16_result(string name)
    {
        var c = OpTable.Find(name);
        var inputs = OpRun.Inputs(c, brief: true);
        long piece = CpuBackend.PieceElements, product = CpuBackend.ProductElements;
        foreach (var layout in Enum.GetValues<Layout>())
        {
            var dense = OpRun.Run(c, inputs, DType.BF16, Device.Cpu, true, (x, i) => Dense(OpRun.Lay(x, layout)));
            var strided = OpRun.Run(c, inputs, DType.BF16, Device.Cpu, true, (x, i) => OpRun.Lay(x, layout));
            (CpuBackend.PieceElements, CpuBackend.ProductElements) = (8, 64);
            OpResult pieces;
            try { pieces = OpRun.Run(c, inputs, DType.BF16, Device.Cpu, true, (x, i) => OpRun.Lay(x, layout)); }
            finally { (CpuBackend.PieceElements, CpuBackend.ProductElements) = (piece, product); }
            foreach (var (result, what) in new[] { (strided, $"{layout}"), (pieces, $"{layout}, in pieces") })
            {
                // Another order of summation may round the other way.
                OpRun.Near(result.Y, dense.Y, 1.0 / 128, $"{what}: result", floor: 1e-5);
                for (int i = 0; i < inputs.Length; i++)
                {
                    if (dense.Gradients[i] is not { } gradient) continue;
                    OpRun.Near(result.Gradients[i]!, gradient, 2.0 / 128, $"{what}: gradient of input {i}", floor: 1e-5);
                }
            }
        }
    }

    [Fact]
    public void Products_of_bfloat16_are_right_however_they_are_cut()
    {
        using var scope = Scope.Open();
        long product = CpuBackend.ProductElements;
        CpuBackend.ProductElements = 1 << 12;
        try
        {
            foreach (var (m, n, k) in new[] { (300, 70, 40), (40, 300, 70), (70, 40, 300), (1, 500, 9), (130, 130, 130) })
            {
                foreach (DType type in (DType[])[DType.BF16, DType.F32])
                {
                    foreach (bool accumulate in new[] { false, true })
                    {
                        double[] On(Device device, DType narrow, DType wide)
                        {
                            Tensor Draw(Shape shape, ulong seed, DType to) => Tensor.Randn(shape, seed).To(DType.BF16).To(device).To(to);
                            var c = Draw([m, n], 1, wide).Contiguous();
                            var spec = new MatMulSpec
                            {
                                Accumulate = accumulate,
                                Activation = Activation.Gelu,
                                Bias = Draw([n], 2, narrow.Wide()).View,
                                Residual = Draw([m, n], 3, wide).View,
                            };
                            c.Backend.MatMul(Draw([m, k], 4, narrow).View, Draw([n, k], 5, narrow).View.Transpose(0, 1), c.View, spec);
                            return OpRun.Wide(c);
                        }
                        double[] actual = On(Device.Cpu, DType.BF16, type), expected = On(Device.Reference, DType.F64, DType.F64);
                        if (type == DType.F32) OpRun.Near(actual, expected, 2e-6, $"[{m}, {k}]·[{k}, {n}]");
                        else RoundedOnce(actual, expected, 2e-6, $"[{m}, {k}]·[{k}, {n}]");
                    }
                }
            }
        }
        finally
        {
            CpuBackend.ProductElements = product;
        }
    }

    [Fact]
    public void Conversions_agree_with_the_scalar_ones_for_every_bfloat16_and_around_it()
    {
        using var scope = Scope.Open();
        var bits = new uint[7 << 16];
        uint[] below = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x1234];
        for (int i = 0; i < bits.Length; i++) bits[i] = (uint)(i & 0xFFFF) << 16 | below[i >> 16];
        float[] values = [.. bits.Select(BitConverter.UInt32BitsToSingle)];
        var narrow = Tensor.From(values).To(DType.BF16);
        var actual = narrow.ToArray<BFloat16>();
        for (int i = 0; i < bits.Length; i++) Assert.Equal(((BFloat16)values[i]).Bits, actual[i].Bits);
        var widened = narrow.To(DType.F32).ToArray<float>();
        for (int i = 0; i < bits.Length; i++) Assert.Equal((uint)actual[i].Bits << 16, BitConverter.SingleToUInt32Bits(widened[i]));
    }

    private static Tensor Dense(Tensor x)
    {
        using var pause = Sfn.Ops.Op.Pause();
        return x.Contiguous();
    }

    // Every element by itself within half a unit in its last place, and what float32 may be wrong by.
    private static void RoundedOnce(double[] actual, double[] expected, double tolerance, string what)
    {
        double scale = expected.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < actual.Length; i++)
        {
            if (actual[i] == expected[i] || (double.IsNaN(actual[i]) && double.IsNaN(expected[i]))) continue;
            double unit = Math.Pow(2, Math.Floor(Math.Log2(Math.Abs(expected[i]))) - 7), gap = Math.Abs(actual[i] - expected[i]);
            if (!(gap <= 0.5 * unit + tolerance * scale)) Assert.Fail($"{what}: element {i} is {actual[i]:R}, expected {expected[i]:R} rounded once");
        }
    }

    [Theory, InlineData("cpu"), InlineData("reference")]
    public void Floats_become_integers_toward_zero_and_saturate(string device)
    {
        using var scope = Scope.Open();
        float[] values = [0f, -0f, 1.9f, -1.9f, 2.5f, 255.7f, 256f, 70000f, 3e9f, -3e9f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 1e-40f];
        var x = Tensor.From(values, Device.Get(device));
        Assert.Equal([0, 0, 1, -1, 2, 255, 256, 70000, int.MaxValue, int.MinValue, int.MaxValue, int.MinValue, 0, 0], x.To(DType.I32).ToArray<int>());
        Assert.Equal([0, 0, 1, 0, 2, 255, 256, 65535, 65535, 0, 65535, 0, 0, 0], x.To(DType.U16).ToArray<ushort>());
        Assert.Equal([0, 0, 1, 0, 2, 255, 255, 255, 255, 0, 255, 0, 0, 0], x.To(DType.U8).ToArray<byte>());
        Assert.Equal([false, false, true, true, true, true, true, true, true, true, true, true, true, true], x.To(DType.Bool).ToArray<bool>());
    }

    [Theory, InlineData("cpu"), InlineData("reference")]
    public void Integers_convert_exactly(string device)
    {
        using var scope = Scope.Open();
        var x = Tensor.From([-5, 0, 300, 16777216], Device.Get(device));
        Assert.Equal([-5f, 0f, 300f, 16777216f], x.To(DType.F32).ToArray());
        Assert.Equal([-5d, 0, 300, 16777216], x.To(DType.F64).ToArray<double>());
        Assert.Equal([0, 0, 255, 255], x.To(DType.U8).ToArray<byte>());
        Assert.Equal([true, false, true, true], x.To(DType.Bool).ToArray<bool>());
        Assert.Equal([1f, 0f, 1f, 1f], x.To(DType.Bool).To(DType.F32).ToArray());
        Assert.Equal([7f, 65535f], Tensor.From<ushort>([7, 65535], Device.Get(device)).To(DType.F32).ToArray());
    }

    [Theory, InlineData("cpu"), InlineData("reference")]
    public void Bfloat16_rounds_to_nearest_even(string device)
    {
        using var scope = Scope.Open();
        // 1 + 2⁻⁸ lies between 1 and 1 + 2⁻⁷: ties go to even; a hair more goes up.
        float[] values = [1f, 1.00390625f, 1.01171875f, 1.0039064f, -1.00390625f, 3.4e38f, float.PositiveInfinity, float.NegativeInfinity, 0f, 1e-40f];
        float[] expected = [1f, 1f, 1.015625f, 1.0078125f, -1f, float.PositiveInfinity, float.PositiveInfinity, float.NegativeInfinity, 0f, 9.18355e-41f];
        var y = Tensor.From(values, Device.Get(device)).To(DType.BF16).ToArray();
        for (int i = 0; i < y.Length; i++)
            Assert.True(y[i] == expected[i] || Math.Abs(y[i] - expected[i]) < 1e-42f, $"{values[i]:R} became {y[i]:R}, not {expected[i]:R}");
        Assert.True(float.IsNaN(Tensor.From([float.NaN], Device.Get(device)).To(DType.BF16).ToArray()[0]));
    }

    [Fact]
    public void Every_pair_of_types_converts_like_the_reference()
    {
        using var scope = Scope.Open();
        DType[] all = Enum.GetValues<DType>();
        foreach (int n in new[] { 0, 1, 7, 37, 1000 })
        {
            var start = Tensor.Uniform([n], 9, -300, 300, Device.Reference);
            foreach (var from in all)
            {
                var a = start.To(from);
                foreach (var to in all)
                {
                    var expected = a.To(to).To(DType.F64).ToArray<double>();
                    foreach (var device in OpRun.Devices)
                    {
                        Assert.Equal(expected, a.To(device).To(to).To(DType.F64).ToArray<double>());
                        // The same through strides.
                        if (n > 1) Assert.Equal(expected, a.To(device).Reshape(1, n).Transpose().Expand([n, 2]).To(to)[.., 1].To(DType.F64).ToArray<double>());
                    }
                }
            }
        }
    }

    [Fact]
    public void Integer_arithmetic_is_exact()
    {
        using var scope = Scope.Open();
        Tensor a = Tensor.From([1, -2, 300]), b = Tensor.From([4, 5, -6]);
        Assert.Equal([5, 3, 294], (a + b).ToArray<int>());
        Assert.Equal([4, -10, -1800], (a * b).ToArray<int>());
        Assert.Equal([4, 5, 300], a.Maximum(b).ToArray<int>());
        Assert.Equal(299, a.Sum().Item());
        Assert.Equal(300, a.Max().Item());
        Assert.Equal([true, true, false], a.Less(b).ToArray<bool>());
    }

    [Theory]
    [InlineData("log needs a float tensor, not I32. Convert with To(DType.F32) first.", 0)]
    [InlineData("add of F32 and I32: element types must be equal. Convert one with To(DType.F32).", 1)]
    [InlineData("matmul of F32 and F64: element types must be equal. Convert one with To(DType.F32).", 2)]
    [InlineData("gather needs integer indices (I32, U16 or U8), not F32.", 3)]
    [InlineData("cross_entropy needs integer indices (I32, U16 or U8), not F32.", 4)]
    [InlineData("softmax needs a float tensor, not I32. Convert with To(DType.F32) first.", 5)]
    [InlineData("Elements are I32, not Single. Convert with To(DType.F32) first.", 6)]
    [InlineData("where of F32 and F64: element types must be equal. Convert one with To(DType.F32).", 7)]
    [InlineData("linear of F32 and F64: element types must be equal. Convert one with To(DType.F32).", 8)]
    [InlineData("layernorm of F32 and F64: element types must be equal. Convert one with To(DType.F32).", 9)]
    public void Wrong_types_are_refused(string message, int which)
    {
        using var scope = Scope.Open();
        Tensor f = Tensor.Ones([2, 2]), d = Tensor.Ones([2, 2], DType.F64), i = Tensor.Ones([2, 2], DType.I32), narrow = Tensor.Ones([2], DType.F64);
        Action act = which switch
        {
            0 => () => i.Log(),
            1 => () => _ = f + i,
            2 => () => f.MatMul(d),
            3 => () => f.Gather(f),
            4 => () => f.CrossEntropy(f),
            5 => () => i.Softmax(),
            6 => () => i.ToArray<float>(),
            7 => () => Tensor.Where(i, f, d),
            8 => () => f.Linear(f, narrow),
            _ => () => f.LayerNorm(f[0], narrow),
        };
        Assert.Equal(message, Assert.Throws<DTypeMismatch>(act).Message);
    }

    [Fact]
    public void Printing()
    {
        using var scope = Scope.Open();
        Assert.Equal("[1, 2, 3]", Tensor.From([1f, 2f, 3f]).ToString());
        Assert.Equal("[[1.5000, -2.0000],\n [0.2500, 3.0000]]", Tensor.From([1.5f, -2f, 0.25f, 3f], [2, 2]).ToString());
        Assert.Equal("[1, -7] I32", Tensor.From([1, -7]).ToString());
        Assert.Equal("[200, 3] U8", Tensor.From<byte>([200, 3]).ToString());
        Assert.Equal("[true, false] BOOL", Tensor.From([true, false]).ToString());
        Assert.Equal("3.5000", Tensor.Scalar(3.5).ToString());
        Assert.Equal("[0.5000] F64", Tensor.From([0.5]).ToString());
        Assert.Equal("[NaN, Infinity, 1]", Tensor.From([float.NaN, float.PositiveInfinity, 1f]).ToString());
        Assert.Equal("[]", Tensor.Zeros([0]).ToString());
        Assert.Equal("[1.0000e-5, 2.0000e-5]", Tensor.From([1e-5f, 2e-5f]).ToString());
        Assert.Equal("[0, 1, 2, …, 1997, 1998, 1999]", Tensor.Arange(2000).ToString());
        Assert.Equal("[[[1, 1]],\n\n [[1, 1]]]".Replace("\n\n", "\n"), Tensor.Ones([2, 1, 2]).ToString());
    }
}

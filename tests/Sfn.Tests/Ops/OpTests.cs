using Sfn.Ops;

namespace Sfn.Tests.Ops;

/// <summary>The tests that every op gets from its <see cref="OpCase"/>.</summary>
public class OpTests : LeakCheck
{
    public static TheoryData<string> Names => [.. OpTable.All.Select(c => c.Name)];

    public static TheoryData<string> Differentiable => [.. OpTable.All.Where(c => c.Differentiable).Select(c => c.Name)];

    public static TheoryData<string> Discerning => [.. OpTable.All.Where(c => c.Differentiable && !c.IsEmpty && !c.Zero).Select(c => c.Name)];

    [Theory, MemberData(nameof(Names))]
    public void Forward_and_gradient_equal_the_float64_reference(string name)
    {
        var c = OpTable.Find(name);
        var inputs = OpRun.Inputs(c);
        var reference = OpRun.Run(c, inputs, DType.F64, Device.Reference, true);
        foreach (var device in OpRun.Devices) Compare(c, OpRun.Run(c, inputs, DType.F32, device, true), reference, $"{device}: ");
    }

    [Theory, MemberData(nameof(Names))]
    public void Float64_on_the_CPU_is_the_reference(string name)
    {
        var c = OpTable.Find(name) with { Tolerance = 1e-12, GradientTolerance = 1e-12 };
        var inputs = OpRun.Inputs(c);
        Compare(c, OpRun.Run(c, inputs, DType.F64, Device.Cpu, true), OpRun.Run(c, inputs, DType.F64, Device.Reference, true));
    }

    [Theory, MemberData(nameof(Differentiable))]
    public void Gradient_equals_finite_differences(string name)
    {
        var c = OpTable.Find(name);
        Differences(c, OpRun.Run(c, OpRun.Inputs(c), DType.F64, Device.Reference, true));
    }

    [Theory, MemberData(nameof(Names))]
    public void Layout_does_not_change_the_result(string name)
    {
        var c = OpTable.Find(name);
        var inputs = OpRun.Inputs(c);
        foreach (var device in OpRun.Devices)
        {
            foreach (var layout in Enum.GetValues<Layout>())
            {
                var strided = OpRun.Run(c, inputs, DType.F32, device, true, (x, i) => OpRun.Lay(x, layout));
                var dense = OpRun.Run(c, inputs, DType.F32, device, true, (x, i) => Dense(OpRun.Lay(x, layout)));
                Compare(c, strided, dense, $"{device}, {layout}: ");
            }
        }
    }

    [Theory, MemberData(nameof(Discerning))]
    public void A_result_or_gradient_off_by_a_thousandth_is_rejected(string name)
    {
        var c = OpTable.Find(name);
        var inputs = OpRun.Inputs(c);
        var reference = OpRun.Run(c, inputs, DType.F64, Device.Reference, true);
        var scaled = c with { Call = x => c.Call(x) * 1.001 };
        Assert.ThrowsAny<Exception>(() => Compare(c, OpRun.Run(scaled, inputs, DType.F32, Device.Cpu, false), reference));
        var wrong = c with { Call = x => Op.Run(new OpRun.WrongGradient(), c.Call(x)) };
        Assert.ThrowsAny<Exception>(() => Compare(c, OpRun.Run(wrong, inputs, DType.F32, Device.Cpu, true), reference));
        Assert.ThrowsAny<Exception>(() => Differences(c, OpRun.Run(wrong, inputs, DType.F64, Device.Reference, true)));
    }

    [Fact]
    public void Every_op_of_the_engine_is_in_the_table()
    {
        var seen = new Seen();
        foreach (var c in OpTable.All)
        {
            using var scope = Scope.Open();
            var inputs = OpRun.Inputs(c);
            Tensor[] x = [.. c.Args.Select((a, i) => a.Make(inputs[i], DType.F32, Device.Cpu))];
            Op.Recorder = seen;
            try
            {
                c.Call(x);
            }
            finally
            {
                Op.Recorder = null;
            }
        }
        var ops = typeof(Tensor).Assembly.GetTypes().Where(t => t.IsValueType && typeof(IOp).IsAssignableFrom(t));
        Assert.Empty(ops.Where(t => !seen.Types.Contains(t)).Select(t => t.Name));
    }

    private sealed class Seen : IRecorder
    {
        public bool IsElsewhere => false;

        public HashSet<Type> Types { get; } = [];

        public void Record<TOp>(in TOp op, in Inputs inputs, Tensor output, in Extras extras) where TOp : struct, IOp =>
            Types.Add(typeof(TOp).IsGenericType ? typeof(TOp).GetGenericTypeDefinition() : typeof(TOp));
    }

    private static Tensor Dense(Tensor x)
    {
        using var pause = Op.Pause();
        return x.Contiguous();
    }

    private static void Compare(OpCase c, OpResult actual, OpResult expected, string what = "")
    {
        Assert.Equal(expected.Shape, actual.Shape);
        OpRun.Near(actual.Y, expected.Y, c.Tolerance, what + "result");
        for (int i = 0; i < c.Args.Length; i++)
        {
            if (expected.Gradients[i] is { } gradient && actual.Gradients[i] is { } found)
                OpRun.Near(found, gradient, c.GradientTolerance, $"{what}gradient of input {i}");
        }
    }

    private static void Differences(OpCase c, OpResult result)
    {
        const double h = 3e-5;
        var inputs = OpRun.Inputs(c);
        for (int i = 0; i < inputs.Length; i++)
        {
            if (result.Gradients[i] is not { } gradient) continue;
            // All elements of small inputs; a spread of the others, and those with the largest gradients.
            int step = Math.Max(1, gradient.Length / 48);
            int[] at = [.. Enumerable.Range(0, gradient.Length).Where(n => n % step == 0)
                .Union(Enumerable.Range(0, gradient.Length).OrderByDescending(n => Math.Abs(gradient[n])).Take(8))];
            double[] picked = [.. at.Select(n => gradient[n])], slopes = new double[picked.Length];
            for (int n = 0; n < slopes.Length; n++)
            {
                double[] moved = [.. inputs[i]];
                double[][] with = [.. inputs];
                with[i] = moved;
                moved[at[n]] += h;
                double up = OpRun.Loss(c, with);
                moved[at[n]] = inputs[i][at[n]] - h;
                slopes[n] = (up - OpRun.Loss(c, with)) / (2 * h);
            }
            OpRun.Near(picked, slopes, 1e-6, $"gradient of input {i} against finite differences", floor: 1e-3);
        }
    }
}

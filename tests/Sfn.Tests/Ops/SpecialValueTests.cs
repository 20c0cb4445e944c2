namespace Sfn.Tests.Ops;

/// <summary>±0, subnormals, ±∞, NaN, huge and tiny values: the CPU gives the same kind of result as float64 rounded to float32.</summary>
public class SpecialValueTests : LeakCheck
{
    private static readonly double[] s_values =
    [
        0, -0.0, 1e-45f, -1e-45f, 1e-40f, -1e-40f, 1.17549435e-38f, 1e-30f, -1e-30f, 1e-8f, 0.5, -0.5, 1, -1, 2, -2, 7.25, -7.25, 80, -80,
        1e4f, -1e4f, 1e30f, -1e30f, float.MaxValue, -float.MaxValue, double.PositiveInfinity, double.NegativeInfinity, double.NaN,
    ];

    /// <summary>Where exp leaves the range of float32.</summary>
    private static readonly double[] s_edges = [88, -88, 88.5f, 89, -89, 100, -100, 104, -104, 150, -150];

    public static TheoryData<string> Unary => Names(1, elementwise: true);

    public static TheoryData<string> Binary => Names(2, elementwise: true);

    public static TheoryData<string> Rows => Names(1, elementwise: false);

    public static TheoryData<string> Bounded => ["tanh", "sigmoid", "erf", "gelu", "gelu_erf", "silu", "relu", "abs", "clamp"];

    [Theory, MemberData(nameof(Unary))]
    public void Elementwise(string name)
    {
        double[] values = [.. s_values, .. s_edges];
        Same(OpTable.Find(name) with { Args = [new([values.Length]) { Values = values }] }, i => $"{values[i]:R}");
    }

    [Theory, MemberData(nameof(Binary))]
    public void Elementwise_of_two(string name)
    {
        // Silu and pow may flush or overflow a first factor at the ends of the range, which the second factor or exponent makes visible.
        bool Tame(double v) => !double.IsFinite(v) || v == 0 || Math.Abs(v) is > 1e-37 and < 1e37;
        double[] values = name is "swiglu" or "pow tensor" ? [.. s_values.Where(Tame)] : s_values;
        int n = values.Length;
        Arg column = new([n, 1]) { Values = values }, row = new([n]) { Values = values };
        Same(OpTable.Find(name) with { Args = [column, row] }, i => $"({values[i / n]:R}, {values[i % n]:R})");
    }

    [Theory, MemberData(nameof(Rows))]
    public void One_special_value_in_a_row(string name)
    {
        const int columns = 37;
        // Squares leave float32 long before the values do; there the reference is no measure.
        bool norm = name.StartsWith("norm", StringComparison.Ordinal);
        double[] values = [.. s_values.Where(v => !norm || !double.IsFinite(v) || Math.Abs(v) is not (> 1e18 or > 0 and < 1e-18))];
        var matrix = new double[values.Length * columns];
        for (int i = 0; i < matrix.Length; i++) matrix[i] = (i % columns - 11) * 0.125;
        for (int i = 0; i < values.Length; i++) matrix[i * columns + 5 * i % columns] = values[i];
        var c = OpTable.Find(name) with { Args = [new([values.Length, columns, 1]) { Values = matrix }] };
        if (name.Contains("dim", StringComparison.Ordinal)) c = c with { Call = Middle(name) };
        Same(c, i => $"output {i}");
    }

    [Theory, MemberData(nameof(Bounded))]
    public void The_gradient_is_finite_wherever_the_input_is(string name)
    {
        double[] values = [.. s_values.Where(double.IsFinite), .. s_edges];
        var c = OpTable.Find(name) with { Args = [new([values.Length]) { Values = values }] };
        var dx = OpRun.Run(c, [values], DType.F32, Device.Cpu, true).Gradients[0]!;
        for (int i = 0; i < dx.Length; i++) Assert.True(double.IsFinite(dx[i]) && Math.Abs(dx[i]) < 10, $"{name}'({values[i]:R}) = {dx[i]:R}");
    }

    private static Func<Tensor[], Tensor> Middle(string name) => name.Split(' ')[0] switch
    {
        "sum" => x => x[0].Sum(1),
        "mean" => x => x[0].Mean(1),
        "norm" => x => x[0].Norm(1),
        "max" => x => x[0].Max(1),
        "min" => x => x[0].Min(1),
        "softmax" => x => x[0].Softmax(1),
        "log_softmax" => x => x[0].LogSoftmax(1),
        _ => x => x[0].LogSumExp(1),
    };

    private static TheoryData<string> Names(int inputs, bool elementwise) =>
        [.. OpTable.All.Where(c => c.Special && c.Args.Length == inputs && c.Name != "max with equals" && IsElementwise(c) == elementwise).Select(c => c.Name)];

    private static bool IsElementwise(OpCase c)
    {
        string first = c.Name.Split(' ')[0];
        return first is not ("sum" or "mean" or "norm" or "max" or "min" or "logsumexp" or "softmax" or "log_softmax");
    }

    private static void Same(OpCase c, Func<int, string> input)
    {
        var values = c.Args.Select(a => a.Values!).ToArray();
        double[] expected = OpRun.Run(c, values, DType.F64, Device.Reference, false).Y;
        // x·(1 + erf x) cancels far below zero: its error is absolute. Powers multiply the error of a logarithm.
        double floor = c.Name == "gelu_erf" ? 10 : 0, tolerance = c.Name.StartsWith("pow", StringComparison.Ordinal) ? 1e-4 : 1e-5;
        foreach (var device in OpRun.Devices)
        {
            double[] actual = OpRun.Run(c, values, DType.F32, device, false).Y;
            Assert.Equal(expected.Length, actual.Length);
            for (int i = 0; i < actual.Length; i++)
            {
                double e = (float)expected[i], a = actual[i];
                bool same = double.IsFinite(e)
                    ? Math.Abs(a - e) <= Math.Max(1e-35, tolerance * Math.Max(Math.Abs(e), floor))     // below 1e-35 anything small may become 0
                    : double.IsNaN(e) ? double.IsNaN(a) : a == e;
                if (!same) Assert.Fail($"{c.Name} of {input(i)} is {a:R} on {device}, float64 says {e:R}");
            }
        }
    }
}

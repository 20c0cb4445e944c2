using Sfn.Ops;

namespace Sfn.Tests.Lanes;

/// <summary>Every elementwise body, beside an independent formula.</summary>
public static class BodyTable
{
    private static readonly Domain s_wide = new(-9, 9), s_around = new(-9, 9, 0), s_positive = new(0.05, 9), s_whole = new(-9, 9) { Whole = true };

    public static BodyCase[] All { get; } =
    [
        new UnaryBody<Abs>("abs", new(), Math.Abs, s_around),
        new UnaryBody<Clamp>("clamp", new(-1.5f, 2.25f), x => Math.Clamp(x, -1.5, 2.25), new(-5, 5, -1.5, 2.25)),
        new UnaryBody<Erf>("erf", new(), ErfByIntegral, new(-4, 4)),
        new UnaryBody<Exp>("exp", new(), Math.Exp, s_wide),
        new UnaryBody<Gelu>("gelu", new(), x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))), s_wide),
        new UnaryBody<GeluErf>("gelu_erf", new(), x => 0.5 * x * (1 + ErfByIntegral(x / Math.Sqrt(2))), new(-5, 5)),
        new UnaryBody<Log>("log", new(), Math.Log, s_positive),
        new UnaryBody<Neg>("neg", new(), x => -x, s_wide),
        new UnaryBody<Pow>("pow 3", new(3), x => x * x * x, s_wide),
        new UnaryBody<Pow>("pow -2", new(-2), x => 1 / (x * x), new(0.2, 5)),
        new UnaryBody<Pow>("pow 0.5", new(0.5f), Math.Sqrt, s_positive),
        new UnaryBody<Pow>("pow -1.5", new(-1.5f), x => 1 / (x * Math.Sqrt(x)), s_positive),
        new UnaryBody<Pow>("pow 1", new(1), x => x, s_wide),
        new UnaryBody<Pow>("pow 0", new(0), x => 1, s_wide),
        new UnaryBody<Pow>("pow 2.3", new(2.3f), x => Math.Pow(x, 2.3f), s_positive),
        new UnaryBody<Pow>("pow 21", new(21), x => Math.Pow(x, 21), new(-1.5, 1.5)),
        new UnaryBody<Reciprocal>("reciprocal", new(), x => 1 / x, new(0.1, 9)),
        new UnaryBody<Relu>("relu", new(), x => x > 0 ? x : 0, s_around),
        new UnaryBody<Rsqrt>("rsqrt", new(), x => 1 / Math.Sqrt(x), s_positive),
        new UnaryBody<Scale>("scale", new(-2.5f), x => -2.5 * x, s_wide),
        new UnaryBody<Shift>("shift", new(1.75f), x => x + 1.75, s_wide),
        new UnaryBody<Sigmoid>("sigmoid", new(), x => 1 / (1 + Math.Exp(-x)), s_wide),
        new UnaryBody<Silu>("silu", new(), x => x / (1 + Math.Exp(-x)), s_wide),
        new UnaryBody<Sqrt>("sqrt", new(), Math.Sqrt, s_positive),
        new UnaryBody<Square>("square", new(), x => x * x, s_wide),
        new UnaryBody<Tanh>("tanh", new(), Math.Tanh, s_wide),
        new UnaryBody<Chain<Scale, Exp>>("scale+exp", new(new(0.5f), new()), x => Math.Exp(0.5 * x), s_wide),
        new UnaryBody<Chain<Square, Chain<Shift, Rsqrt>>>("square+shift+rsqrt", new(new(), new(new(1), new())), x => 1 / Math.Sqrt(1 + x * x), s_wide),
        new BinaryBody<Add>("add", new(), (a, b) => a + b, s_wide, s_wide),
        new BinaryBody<Div>("div", new(), (a, b) => a / b, s_wide, new(0.2, 5)),
        new BinaryBody<Maximum>("maximum", new(), Math.Max, s_wide, s_wide),
        new BinaryBody<Minimum>("minimum", new(), Math.Min, s_wide, s_wide),
        new BinaryBody<Mul>("mul", new(), (a, b) => a * b, s_wide, s_wide),
        new BinaryBody<PowBinary>("pow_binary", new(), Math.Pow, new(0.2, 4), new(-3, 3)),
        new BinaryBody<Sub>("sub", new(), (a, b) => a - b, s_wide, s_wide),
        new BinaryBody<SwiGlu>("swiglu", new(), (a, b) => a / (1 + Math.Exp(-a)) * b, s_wide, s_wide),
        new BinaryBody<Equal>("equal", new(), (a, b) => a == b ? 1 : 0, s_whole, s_whole),
        new BinaryBody<NotEqual>("not_equal", new(), (a, b) => a != b ? 1 : 0, s_whole, s_whole),
        new BinaryBody<Greater>("greater", new(), (a, b) => a > b ? 1 : 0, s_whole, s_whole),
        new BinaryBody<GreaterEqual>("greater_equal", new(), (a, b) => a >= b ? 1 : 0, s_whole, s_whole),
        new BinaryBody<Less>("less", new(), (a, b) => a < b ? 1 : 0, s_whole, s_whole),
        new BinaryBody<LessEqual>("less_equal", new(), (a, b) => a <= b ? 1 : 0, s_whole, s_whole),
    ];

    // 2/√π ∫₀ˣ exp(-t²) dt by Simpson's rule: slow, and free of the series that the engine uses.
    private static double ErfByIntegral(double x)
    {
        const int panels = 8000;
        double h = x / panels, sum = 1 + Math.Exp(-x * x);
        for (int i = 1; i < panels; i++) sum += ((i & 1) == 1 ? 4 : 2) * Math.Exp(-(i * h) * (i * h));
        return 2 / Math.Sqrt(Math.PI) * sum * h / 3;
    }
}

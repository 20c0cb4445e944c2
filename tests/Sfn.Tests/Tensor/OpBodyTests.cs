using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests;

/// <summary>Every body: float32 against float64, and the gradient against the difference quotient of the float64 body.</summary>
public class OpBodyTests
{
    [Fact]
    public void Unary_ops()
    {
        Check(new Neg());
        Check(new Exp());
        Check(new Log(), positive: true);
        Check(new Sqrt(), positive: true);
        Check(new Rsqrt(), positive: true);
        Check(new Tanh());
        Check(new Sigmoid());
        Check(new Erf());
        Check(new Relu());
        Check(new Gelu());
        Check(new GeluErf());
        Check(new Silu());
        Check(new Abs());
        Check(new Square());
        Check(new Reciprocal());
        foreach (float p in (float[])[-2, -1.5f, -1, 0, 0.5f, 1, 2, 3, 7, 2.5f, 1.7f, -0.3f]) Check(new Pow(p), positive: p != MathF.Floor(p), tolerance: 2e-6);
        Check(new Clamp(-1, 1.5f));
        Check(new Scale(-2.5f));
        Check(new Shift(0.7f));
        Check(new Chain<Scale, Gelu>(new(1.5f), new()));
        Check(new Chain<Square, Exp>(), tolerance: 3e-6);
    }

    [Fact]
    public void Binary_ops()
    {
        CheckBinary(new Add());
        CheckBinary(new Sub());
        CheckBinary(new Mul());
        CheckBinary(new Div());
        CheckBinary(new Minimum());
        CheckBinary(new Maximum());
        CheckBinary(new SwiGlu());
        CheckBinary(new PowBinary(), positive: true, tolerance: 2e-6);
    }

    private static void Check<TOp>(TOp op, bool positive = false, double tolerance = 1e-6) where TOp : struct, IUnary
    {
        foreach (float x in Points(positive))
        {
            double y = op.Forward(new D1(x)).V;
            Close(y, op.Forward(new F1(x)).V, tolerance, $"{TOp.Name}({x})");
            const double H = 1e-6;
            double slope = (op.Forward(new D1(x + H)).V - op.Forward(new D1(x - H)).V) / (2 * H);
            D1 keptX = new((TOp.Keeps & Keep.A) != 0 ? x : double.NaN), keptY = new((TOp.Keeps & Keep.Output) != 0 ? y : double.NaN);
            double gradient = op.Backward(keptX, keptY, new D1(3)).V;
            Close(3 * slope, gradient, 1e-6, $"{TOp.Name}'({x})");
            Close(gradient, op.Backward(new F1((float)keptX.V), new F1((float)keptY.V), new F1(3)).V, 4 * tolerance, $"float32 {TOp.Name}'({x})");
        }
    }

    private static void CheckBinary<TOp>(TOp op, bool positive = false, double tolerance = 1e-6) where TOp : struct, IBinary
    {
        foreach (float a in Points(positive))
        {
            foreach (float b in Points(positive))
            {
                double y = op.Forward(new D1(a), new D1(b)).V;
                Close(y, op.Forward(new F1(a), new F1(b)).V, tolerance, $"{TOp.Name}({a}, {b})");
                if (a == b) continue;
                const double H = 1e-6;
                double byA = (op.Forward(new D1(a + H), new D1(b)).V - op.Forward(new D1(a - H), new D1(b)).V) / (2 * H);
                double byB = (op.Forward(new D1(a), new D1(b + H)).V - op.Forward(new D1(a), new D1(b - H)).V) / (2 * H);
                D1 ka = new((TOp.Keeps & Keep.A) != 0 ? a : double.NaN), kb = new((TOp.Keeps & Keep.B) != 0 ? b : double.NaN);
                D1 ky = new((TOp.Keeps & Keep.Output) != 0 ? y : double.NaN);
                Close(byA, op.BackwardA(ka, kb, ky, new D1(1)).V, 1e-6, $"d{TOp.Name}/da({a}, {b})");
                Close(byB, op.BackwardB(ka, kb, ky, new D1(1)).V, 1e-6, $"d{TOp.Name}/db({a}, {b})");
            }
        }
    }

    [Fact]
    public void Subgradients_are_torch_s()
    {
        var one = new F1(1);
        Assert.Equal(0, new Relu().Backward(default, new F1(0), one).V);
        Assert.Equal(0, new Abs().Backward(new F1(0), default, one).V);
        Assert.Equal(1, new Clamp(-1, 2).Backward(new F1(2), default, one).V);
        Assert.Equal(1, new Clamp(-1, 2).Backward(new F1(-1), default, one).V);
        Assert.Equal(0, new Clamp(-1, 2).Backward(new F1(2.5f), default, one).V);
        Assert.Equal(0.5f, new Maximum().BackwardA(new F1(3), new F1(3), default, one).V);
        Assert.Equal(0.5f, new Minimum().BackwardB(new F1(3), new F1(3), default, one).V);
    }

    [Fact]
    public void Gradients_of_gates_stay_finite_at_the_ends()
    {
        foreach (float x in (float[])[-3e38f, -1e20f, -100, 100, 1e20f, 3e38f])
        {
            float limit = x > 0 ? 1 : 0;
            Assert.Equal(limit, new Gelu().Backward(new F1(x), default, new F1(1)).V);
            Assert.Equal(limit, new GeluErf().Backward(new F1(x), default, new F1(1)).V);
            Assert.Equal(limit, new Silu().Backward(new F1(x), default, new F1(1)).V);
        }
    }

    [Theory]
    [InlineData(-2, 3, -8)]
    [InlineData(-2, 2, 4)]
    [InlineData(-2, -1, -0.5)]
    [InlineData(0, 2, 0)]
    [InlineData(0, 0, 1)]
    [InlineData(0, -1, double.PositiveInfinity)]
    [InlineData(-2, 0.5, double.NaN)]
    [InlineData(double.NaN, 0, 1)]
    [InlineData(1, double.NaN, 1)]
    [InlineData(2, double.NaN, double.NaN)]
    public void Powers_follow_IEEE(double a, double b, double expected)
    {
        float y = new PowBinary().Forward(new F1((float)a), new F1((float)b)).V;
        if (double.IsFinite(expected)) Assert.Equal(expected, y, 1e-5);
        else Assert.Equal((float)expected, y);
    }

    [Fact]
    public void Comparisons_give_one_or_zero_and_false_for_NaN()
    {
        F1 a = new(1), b = new(2), nan = new(float.NaN);
        Assert.Equal((1f, 0f, 0f), (new Less().Forward(a, b).V, new Less().Forward(b, a).V, new Less().Forward(a, nan).V));
        Assert.Equal((1f, 1f, 0f), (new LessEqual().Forward(a, a).V, new GreaterEqual().Forward(b, a).V, new GreaterEqual().Forward(nan, a).V));
        Assert.Equal((1f, 0f, 1f), (new Equal().Forward(a, a).V, new Equal().Forward(nan, nan).V, new NotEqual().Forward(nan, nan).V));
        Assert.Equal((1f, 0f), (new Greater().Forward(b, a).V, new Greater().Forward(a, a).V));
    }

    private static float[] Points(bool positive) => positive ? [0.05f, 0.5f, 1, 1.3f, 4] : [-4.2f, -1.3f, -0.6f, -0.01f, 0.02f, 0.7f, 1.2f, 3.9f];

    private static void Close(double expected, double actual, double tolerance, string what) =>
        Assert.True(Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected)), $"{what}: {actual:R}, expected {expected:R}");
}

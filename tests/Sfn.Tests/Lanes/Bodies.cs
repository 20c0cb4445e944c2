using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests.Lanes;

/// <summary>Values to sample, and the points around which a body has no unique derivative.</summary>
public readonly record struct Domain(double Low, double High, params double[] Kinks)
{
    /// <summary>Whole numbers only, so that two samples can be equal.</summary>
    public bool Whole { get; init; }

    public IEnumerable<double> Sample(int count, ulong seed)
    {
        for (int i = 0; i < count; i++)
        {
            // Evenly spaced with a random offset inside each step: dense, and never the same round numbers.
            double x = Low + (High - Low) * (i + Philox.Unit(Philox.At(seed, (ulong)i))) / count;
            if (Whole) x = Math.Round(x);
            if (Kinks is null || Array.TrueForAll(Kinks, k => Math.Abs(x - k) > 1e-6)) yield return x;
        }
    }
}

/// <summary>An elementwise body with what it claims to compute, checked without its own help.</summary>
public abstract record BodyCase(string Name)
{
    /// <summary>What is wrong, or null.</summary>
    public abstract string? Verify(double forward = 1, double backwardA = 1, double backwardB = 1);

    /// <summary>Whether it has a gradient by the second input.</summary>
    public abstract bool Binary { get; }

    /// <summary>Whether it claims a gradient.</summary>
    public abstract bool Differentiable { get; }

    /// <summary>The formula of the forward body.</summary>
    public abstract string Formula { get; }

    /// <summary>The operations of the forward body.</summary>
    public abstract long Operations { get; }

    protected const double Tolerance = 1e-12;

    // The floor covers derivatives that cancel to nearly nothing, like 1 - tanh² far out.
    protected static bool Far(double value, double truth, double floor) =>
        !(Math.Abs(value - truth) <= Tolerance * Math.Max(Math.Abs(truth), floor));
}

/// <summary>A body of one input.</summary>
public sealed record UnaryBody<TOp>(string Name, TOp Op, Func<double, double> Truth, Domain Domain) : BodyCase(Name) where TOp : struct, IUnary
{
    public override bool Binary => false;

    public override bool Differentiable => Op is not INotDifferentiable;

    public override string Formula => Op.Forward(new Text("x")).ToString();

    public override long Operations => Op.Forward(default(Cost)).Operations;

    public override string? Verify(double forward, double backwardA, double backwardB) =>
        forward == 1 && backwardA == 1 ? Check(Op) : Check(new Wrong<TOp>(Op, forward, backwardA));

    private string? Check<T>(T op) where T : struct, IUnary
    {
        foreach (double x in Domain.Sample(2000, 17))
        {
            double y = op.Forward(new D1(x)).V, truth = Truth(x), dy = 0.7 + 0.1 * x;
            if (Far(y, truth, 0.1)) return $"{Name}({x:R}) = {y:R}, should be {truth:R}";
            double slope = op.Forward(new Dual(x, 1)).D * dy;
            // What Keeps does not name must not be read: hand in a poison.
            double dx = op.Backward(new D1(T.Keeps.HasFlag(Keep.A) ? x : double.NaN), new D1(T.Keeps.HasFlag(Keep.Output) ? y : double.NaN), new D1(dy)).V;
            if (Far(dx, slope, Math.Abs(dy))) return $"{Name}'({x:R})·{dy:R} = {dx:R}, should be {slope:R}";
        }
        return null;
    }
}

/// <summary>A body of two inputs.</summary>
public sealed record BinaryBody<TOp>(string Name, TOp Op, Func<double, double, double> Truth, Domain A, Domain B) : BodyCase(Name) where TOp : struct, IBinary
{
    public override bool Binary => true;

    public override bool Differentiable => Op is not INotDifferentiable;

    public override string Formula => Op.Forward(new Text("a"), new Text("b")).ToString();

    public override long Operations => Op.Forward(default(Cost), default).Operations;

    public override string? Verify(double forward, double backwardA, double backwardB) =>
        forward == 1 && backwardA == 1 && backwardB == 1 ? Check(Op) : Check(new WrongBinary<TOp>(Op, forward, backwardA, backwardB));

    private string? Check<T>(T op) where T : struct, IBinary
    {
        foreach (double a in A.Sample(60, 5))
        {
            foreach (double b in B.Sample(60, 7))
            {
                double y = op.Forward(new D1(a), new D1(b)).V, truth = Truth(a, b), dy = 0.7 + 0.1 * a;
                if (Far(y, truth, 0.1)) return $"{Name}({a:R}, {b:R}) = {y:R}, should be {truth:R}";
                if (!Differentiable) continue;
                var keeps = T.Keeps;
                D1 va = new(keeps.HasFlag(Keep.A) ? a : double.NaN), vb = new(keeps.HasFlag(Keep.B) ? b : double.NaN);
                D1 vy = new(keeps.HasFlag(Keep.Output) ? y : double.NaN), g = new(dy);
                double slopeA = op.Forward(new Dual(a, 1), new Dual(b, 0)).D * dy, slopeB = op.Forward(new Dual(a, 0), new Dual(b, 1)).D * dy;
                double da = op.BackwardA(va, vb, vy, g).V, db = op.BackwardB(va, vb, vy, g).V;
                if (Far(da, slopeA, Math.Abs(dy))) return $"∂{Name}/∂a({a:R}, {b:R})·{dy:R} = {da:R}, should be {slopeA:R}";
                if (Far(db, slopeB, Math.Abs(dy))) return $"∂{Name}/∂b({a:R}, {b:R})·{dy:R} = {db:R}, should be {slopeB:R}";
            }
        }
        return null;
    }
}

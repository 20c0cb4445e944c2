using Sfn.Kernels;

namespace Sfn.Tests.Lanes;

/// <summary>
/// A float64 value with its derivative: a forward body run on it gives its own exact derivative, to which the hand-written backward body is
/// compared. At a kink the derivative is that of the branch the comparison takes; samples keep away from kinks.
/// </summary>
public readonly struct Dual(double value, double slope) : ILane<Dual>
{
    public readonly double V = value;
    public readonly double D = slope;

    public static Dual Of(double value) => new(value, 0);

    public static Dual Of(float value) => new(value, 0);

    public static Dual operator +(Dual a, Dual b) => new(a.V + b.V, a.D + b.D);

    public static Dual operator -(Dual a, Dual b) => new(a.V - b.V, a.D - b.D);

    public static Dual operator *(Dual a, Dual b) => new(a.V * b.V, a.D * b.V + a.V * b.D);

    public static Dual operator /(Dual a, Dual b) => new(a.V / b.V, (a.D - a.V / b.V * b.D) / b.V);

    public static Dual operator -(Dual a) => new(-a.V, -a.D);

    public static Dual Fma(Dual a, Dual b, Dual c) => a * b + c;

    public static Dual Min(Dual a, Dual b) => double.IsNaN(a.V) || a.V < b.V ? a : b;

    public static Dual Max(Dual a, Dual b) => double.IsNaN(a.V) || a.V > b.V ? a : b;

    public static Dual Abs(Dual x) => new(Math.Abs(x.V), x.D * Math.Sign(x.V));

    public static Dual Sqrt(Dual x) => new(Math.Sqrt(x.V), x.D / (2 * Math.Sqrt(x.V)));

    public static Dual Floor(Dual x) => new(Math.Floor(x.V), 0);

    public static Dual Exp(Dual x) => new(Math.Exp(x.V), x.D * Math.Exp(x.V));

    public static Dual Log(Dual x) => new(Math.Log(x.V), x.D / x.V);

    // 1/cosh² instead of 1 - tanh², which loses its digits where tanh is near 1.
    public static Dual Tanh(Dual x) => new(Math.Tanh(x.V), x.D / (Math.Cosh(x.V) * Math.Cosh(x.V)));

    public static Dual Erf(Dual x) => new(D1.Erf(new(x.V)).V, x.D * 1.1283791670955126 * Math.Exp(-x.V * x.V));

    public static Dual IfGreater(Dual a, Dual b, Dual then, Dual otherwise) => a.V > b.V ? then : otherwise;

    public static Dual IfEqual(Dual a, Dual b, Dual then, Dual otherwise) => a.V == b.V ? then : otherwise;
}

using System.Runtime.CompilerServices;

namespace Sfn.Kernels;

/// <summary>One float64: the reference semantics that every other lane is tested against.</summary>
/// <param name="v">The value.</param>
public readonly struct D1(double v) : ILane<D1>
{
    /// <summary>The value.</summary>
    public readonly double V = v;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Of(double value) => new(value);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Of(float value) => new(value);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 operator +(D1 a, D1 b) => new(a.V + b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 operator -(D1 a, D1 b) => new(a.V - b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 operator *(D1 a, D1 b) => new(a.V * b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 operator /(D1 a, D1 b) => new(a.V / b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 operator -(D1 a) => new(-a.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Fma(D1 a, D1 b, D1 c) => new(a.V * b.V + c.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Min(D1 a, D1 b) => new(Math.Min(a.V, b.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Max(D1 a, D1 b) => new(Math.Max(a.V, b.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Abs(D1 x) => new(Math.Abs(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Sqrt(D1 x) => new(Math.Sqrt(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Floor(D1 x) => new(Math.Floor(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Exp(D1 x) => new(Math.Exp(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Log(D1 x) => new(Math.Log(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 Tanh(D1 x) => new(Math.Tanh(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 IfGreater(D1 a, D1 b, D1 then, D1 otherwise) => a.V > b.V ? then : otherwise;

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static D1 IfEqual(D1 a, D1 b, D1 then, D1 otherwise) => a.V == b.V ? then : otherwise;

    /// <summary>Error function, to about 1e-15. Abramowitz and Stegun 7.1.6 (series of positive terms) and 7.1.14 (continued fraction).</summary>
    public static D1 Erf(D1 x)
    {
        double a = Math.Abs(x.V);
        if (double.IsNaN(a)) return x;
        if (a > 6) return new(Math.Sign(x.V));
        double result;
        if (a < 2.5)
        {
            // erf x = 2/sqrt(pi) * exp(-x^2) * sum x (2x^2)^n / (2n+1)!!
            double term = a, sum = a;
            for (int n = 1; term > sum * 1e-17; n++)
            {
                term *= 2 * a * a / (2 * n + 1);
                sum += term;
            }
            result = 1.1283791670955126 * Math.Exp(-a * a) * sum;
        }
        else
        {
            // erfc x = exp(-x^2)/sqrt(pi) * 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))), from the inside out
            double fraction = a;
            for (int n = 80; n > 0; n--) fraction = a + 0.5 * n / fraction;
            result = 1 - Math.Exp(-a * a) * 0.5641895835477563 / fraction;
        }
        return new(Math.CopySign(result, x.V));
    }
}

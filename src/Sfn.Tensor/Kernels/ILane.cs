using System.Numerics;

namespace Sfn.Kernels;

/// <summary>
/// The arithmetic an op body may use. One body, written once over a lane, runs as scalar float32, as SIMD vectors, as float64
/// (the reference semantics), as a dual number (its exact derivative), as text (its formula) and as a FLOP counter.
/// </summary>
/// <remarks>
/// Special values are part of the contract on every lane: NaN propagates through every operation (also <see cref="Min"/> and
/// <see cref="Max"/>), <c>Exp(-inf) = 0</c>, <c>Exp(+inf) = inf</c>, <c>Log(0) = -inf</c>, <c>Log(x &lt; 0) = NaN</c>.
/// </remarks>
/// <typeparam name="L">The lane itself.</typeparam>
public interface ILane<L> :
    IAdditionOperators<L, L, L>, ISubtractionOperators<L, L, L>, IMultiplyOperators<L, L, L>, IDivisionOperators<L, L, L>,
    IUnaryNegationOperators<L, L>
    where L : struct, ILane<L>
{
    /// <summary>The constant <paramref name="value"/> in every element of the lane, rounded to the lane's precision.</summary>
    static abstract L Of(double value);

    /// <summary>
    /// The parameter <paramref name="value"/> in every element of the lane. Devices without float64 need this one for values not known at
    /// compile time.
    /// </summary>
    static abstract L Of(float value);

    /// <summary>Lets bodies write <c>0.5 * x</c>.</summary>
    static virtual implicit operator L(double value) => L.Of(value);

    /// <summary>Lets bodies write <c>Factor * x</c> for a field of type float.</summary>
    static virtual implicit operator L(float value) => L.Of(value);

    /// <summary>a·b + c, with one rounding where the hardware has it.</summary>
    static abstract L Fma(L a, L b, L c);

    /// <summary>The smaller of both, NaN if either is NaN.</summary>
    static abstract L Min(L a, L b);

    /// <summary>The larger of both, NaN if either is NaN.</summary>
    static abstract L Max(L a, L b);

    /// <summary>|x|.</summary>
    static abstract L Abs(L x);

    /// <summary>√x; NaN below zero.</summary>
    static abstract L Sqrt(L x);

    /// <summary>The largest whole number not above x.</summary>
    static abstract L Floor(L x);

    /// <summary>e^x.</summary>
    static abstract L Exp(L x);

    /// <summary>Natural logarithm.</summary>
    static abstract L Log(L x);

    /// <summary>Hyperbolic tangent.</summary>
    static abstract L Tanh(L x);

    /// <summary>Error function.</summary>
    static abstract L Erf(L x);

    /// <summary><paramref name="then"/> where a &gt; b, else <paramref name="otherwise"/> (also where either is NaN).</summary>
    static abstract L IfGreater(L a, L b, L then, L otherwise);

    /// <summary><paramref name="then"/> where a = b, else <paramref name="otherwise"/> (also where either is NaN).</summary>
    static abstract L IfEqual(L a, L b, L then, L otherwise);
}

/// <summary>
/// A lane of IEEE float32 with access to its bits. FloatMath builds exp, log, tanh and erf from these once, for every
/// float32 lane, so that a CPU vector and a GPU thread compute the same polynomial.
/// </summary>
/// <typeparam name="L">The lane itself.</typeparam>
public interface IFloatLane<L> : ILane<L> where L : struct, ILane<L>, IFloatLane<L>
{
    /// <summary>Adds the bit patterns as 32-bit integers.</summary>
    static abstract L AddBits(L a, L b);

    /// <summary>Subtracts the bit patterns as 32-bit integers.</summary>
    static abstract L SubBits(L a, L b);

    /// <summary>Bitwise and of the bit patterns.</summary>
    static abstract L AndBits(L a, L b);

    /// <summary>Bitwise or of the bit patterns.</summary>
    static abstract L OrBits(L a, L b);

    /// <summary>Shifts the bit patterns left by <paramref name="count"/>.</summary>
    static abstract L ShiftLeft(L a, int count);

    /// <summary>Shifts the bit patterns right by <paramref name="count"/>, copying the sign bit.</summary>
    static abstract L ShiftRight(L a, int count);

    /// <summary>The float whose bit pattern is <paramref name="bits"/>, in every element.</summary>
    static abstract L OfBits(int bits);

    /// <summary>The bit patterns, read as signed integers, converted to float.</summary>
    static abstract L BitsToFloat(L a);

    /// <summary><c>a &lt; b ? a : b</c> in one instruction: a NaN in <paramref name="b"/> stays; one in <paramref name="a"/> must not occur.</summary>
    static abstract L MinFast(L a, L b);

    /// <summary><c>a &gt; b ? a : b</c> in one instruction: a NaN in <paramref name="b"/> stays; one in <paramref name="a"/> must not occur.</summary>
    static abstract L MaxFast(L a, L b);
}

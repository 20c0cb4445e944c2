using System.Runtime.CompilerServices;

namespace Sfn.Kernels;

/// <summary>
/// Two lanes side by side. An op body is one long chain of dependent instructions; two independent chains keep the vector units busy,
/// which one does not (a single vector per step loses up to a third of the speed).
/// </summary>
/// <param name="a">The first half.</param>
/// <param name="b">The second half.</param>
/// <typeparam name="L">The lane that is doubled.</typeparam>
public readonly unsafe struct Two<L>(L a, L b) : IVectorLane<Two<L>> where L : struct, IVectorLane<L>
{
    /// <summary>The first half.</summary>
    public readonly L A = a;

    /// <summary>The second half.</summary>
    public readonly L B = b;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int Width => 2 * L.Width;

    /// <inheritdoc/>
    public float this[int index] => index < L.Width ? A[index] : B[index - L.Width];

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Load(float* source) => new(L.Load(source), L.Load(source + L.Width));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void Store(float* target)
    {
        A.Store(target);
        B.Store(target + L.Width);
    }

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void StoreNonTemporal(float* target)
    {
        A.StoreNonTemporal(target);
        B.StoreNonTemporal(target + L.Width);
    }

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public float Fold<TMonoid>(TMonoid monoid) where TMonoid : struct, IMonoid => monoid.Combine(A, B).Fold(monoid);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Of(double value)
    {
        var c = L.Of(value);
        return new(c, c);
    }

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Of(float value)
    {
        var c = L.Of(value);
        return new(c, c);
    }

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> operator +(Two<L> a, Two<L> b) => new(a.A + b.A, a.B + b.B);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> operator -(Two<L> a, Two<L> b) => new(a.A - b.A, a.B - b.B);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> operator *(Two<L> a, Two<L> b) => new(a.A * b.A, a.B * b.B);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> operator /(Two<L> a, Two<L> b) => new(a.A / b.A, a.B / b.B);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> operator -(Two<L> a) => new(-a.A, -a.B);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Fma(Two<L> a, Two<L> b, Two<L> c) => new(L.Fma(a.A, b.A, c.A), L.Fma(a.B, b.B, c.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Min(Two<L> a, Two<L> b) => new(L.Min(a.A, b.A), L.Min(a.B, b.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Max(Two<L> a, Two<L> b) => new(L.Max(a.A, b.A), L.Max(a.B, b.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> MinFast(Two<L> a, Two<L> b) => new(L.MinFast(a.A, b.A), L.MinFast(a.B, b.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> MaxFast(Two<L> a, Two<L> b) => new(L.MaxFast(a.A, b.A), L.MaxFast(a.B, b.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> AddBits(Two<L> a, Two<L> b) => new(L.AddBits(a.A, b.A), L.AddBits(a.B, b.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> SubBits(Two<L> a, Two<L> b) => new(L.SubBits(a.A, b.A), L.SubBits(a.B, b.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> AndBits(Two<L> a, Two<L> b) => new(L.AndBits(a.A, b.A), L.AndBits(a.B, b.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> OrBits(Two<L> a, Two<L> b) => new(L.OrBits(a.A, b.A), L.OrBits(a.B, b.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Abs(Two<L> x) => new(L.Abs(x.A), L.Abs(x.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Sqrt(Two<L> x) => new(L.Sqrt(x.A), L.Sqrt(x.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Floor(Two<L> x) => new(L.Floor(x.A), L.Floor(x.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Exp(Two<L> x) => FloatMath.Exp(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Log(Two<L> x) => FloatMath.Log(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Tanh(Two<L> x) => FloatMath.Tanh(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> Erf(Two<L> x) => FloatMath.Erf(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> IfGreater(Two<L> a, Two<L> b, Two<L> then, Two<L> otherwise) =>
        new(L.IfGreater(a.A, b.A, then.A, otherwise.A), L.IfGreater(a.B, b.B, then.B, otherwise.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> IfEqual(Two<L> a, Two<L> b, Two<L> then, Two<L> otherwise) =>
        new(L.IfEqual(a.A, b.A, then.A, otherwise.A), L.IfEqual(a.B, b.B, then.B, otherwise.B));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> ShiftLeft(Two<L> a, int count) => new(L.ShiftLeft(a.A, count), L.ShiftLeft(a.B, count));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> ShiftRight(Two<L> a, int count) => new(L.ShiftRight(a.A, count), L.ShiftRight(a.B, count));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> OfBits(int bits)
    {
        var c = L.OfBits(bits);
        return new(c, c);
    }

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static Two<L> BitsToFloat(Two<L> a) => new(L.BitsToFloat(a.A), L.BitsToFloat(a.B));
}

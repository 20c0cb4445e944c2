using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sfn.Kernels;

/// <summary>16 float32 values in one 512-bit vector.</summary>
/// <param name="v">The vector.</param>
public readonly unsafe struct F16(Vector512<float> v) : IVectorLane<F16>
{
    /// <summary>The vector.</summary>
    public readonly Vector512<float> V = v;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int Width => 16;

    /// <inheritdoc/>
    public float this[int index] => V.GetElement(index);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Load(float* source) => new(Vector512.Load(source));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void Store(float* target) => V.Store(target);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void StoreNonTemporal(float* target) => V.StoreAlignedNonTemporal(target);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public float Fold<TMonoid>(TMonoid monoid) where TMonoid : struct, IMonoid => monoid.Combine(new F8(V.GetLower()), new F8(V.GetUpper())).Fold(monoid);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Of(double value) => new(Vector512.Create((float)value));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Of(float value) => new(Vector512.Create(value));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 operator +(F16 a, F16 b) => new(a.V + b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 operator -(F16 a, F16 b) => new(a.V - b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 operator *(F16 a, F16 b) => new(a.V * b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 operator /(F16 a, F16 b) => new(a.V / b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 operator -(F16 a) => new(-a.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Fma(F16 a, F16 b, F16 c) =>
        new(Avx512F.IsSupported ? Avx512F.FusedMultiplyAdd(a.V, b.V, c.V) : a.V * b.V + c.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Min(F16 a, F16 b) =>
        new(Vector512.ConditionalSelect(Vector512.Equals(a.V, a.V), Vector512.MinNative(a.V, b.V), a.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Max(F16 a, F16 b) =>
        new(Vector512.ConditionalSelect(Vector512.Equals(a.V, a.V), Vector512.MaxNative(a.V, b.V), a.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 MinFast(F16 a, F16 b) => new(Vector512.MinNative(a.V, b.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 MaxFast(F16 a, F16 b) => new(Vector512.MaxNative(a.V, b.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Abs(F16 x) => new(Vector512.Abs(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Sqrt(F16 x) => new(Vector512.Sqrt(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Floor(F16 x) => new(Vector512.Floor(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Exp(F16 x) => FloatMath.Exp(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Log(F16 x) => FloatMath.Log(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Tanh(F16 x) => FloatMath.Tanh(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 Erf(F16 x) => FloatMath.Erf(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 IfGreater(F16 a, F16 b, F16 then, F16 otherwise) =>
        new(Vector512.ConditionalSelect(Vector512.GreaterThan(a.V, b.V), then.V, otherwise.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 IfEqual(F16 a, F16 b, F16 then, F16 otherwise) =>
        new(Vector512.ConditionalSelect(Vector512.Equals(a.V, b.V), then.V, otherwise.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 AddBits(F16 a, F16 b) => new((a.V.AsInt32() + b.V.AsInt32()).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 SubBits(F16 a, F16 b) => new((a.V.AsInt32() - b.V.AsInt32()).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 AndBits(F16 a, F16 b) => new(a.V & b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 OrBits(F16 a, F16 b) => new(a.V | b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 ShiftLeft(F16 a, int count) => new((a.V.AsInt32() << count).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 ShiftRight(F16 a, int count) => new((a.V.AsInt32() >> count).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 OfBits(int bits) => new(Vector512.Create(bits).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F16 BitsToFloat(F16 a) => new(Vector512.ConvertToSingle(a.V.AsInt32()));
}

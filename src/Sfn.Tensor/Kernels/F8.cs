using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using X86Fma = System.Runtime.Intrinsics.X86.Fma;

namespace Sfn.Kernels;

/// <summary>8 float32 values in one 256-bit vector.</summary>
/// <param name="v">The vector.</param>
public readonly unsafe struct F8(Vector256<float> v) : IVectorLane<F8>
{
    /// <summary>The vector.</summary>
    public readonly Vector256<float> V = v;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int Width => 8;

    /// <inheritdoc/>
    public float this[int index] => V.GetElement(index);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Load(float* source) => new(Vector256.Load(source));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void Store(float* target) => V.Store(target);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void StoreNonTemporal(float* target) => V.StoreAlignedNonTemporal(target);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public float Fold<TMonoid>(TMonoid monoid) where TMonoid : struct, IMonoid => monoid.Combine(new F4(V.GetLower()), new F4(V.GetUpper())).Fold(monoid);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Of(double value) => new(Vector256.Create((float)value));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Of(float value) => new(Vector256.Create(value));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 operator +(F8 a, F8 b) => new(a.V + b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 operator -(F8 a, F8 b) => new(a.V - b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 operator *(F8 a, F8 b) => new(a.V * b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 operator /(F8 a, F8 b) => new(a.V / b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 operator -(F8 a) => new(-a.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Fma(F8 a, F8 b, F8 c) =>
        new(X86Fma.IsSupported ? X86Fma.MultiplyAdd(a.V, b.V, c.V) : a.V * b.V + c.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Min(F8 a, F8 b) =>
        new(Vector256.ConditionalSelect(Vector256.Equals(a.V, a.V), Vector256.MinNative(a.V, b.V), a.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Max(F8 a, F8 b) =>
        new(Vector256.ConditionalSelect(Vector256.Equals(a.V, a.V), Vector256.MaxNative(a.V, b.V), a.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 MinFast(F8 a, F8 b) => new(Vector256.MinNative(a.V, b.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 MaxFast(F8 a, F8 b) => new(Vector256.MaxNative(a.V, b.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Abs(F8 x) => new(Vector256.Abs(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Sqrt(F8 x) => new(Vector256.Sqrt(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Floor(F8 x) => new(Vector256.Floor(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Exp(F8 x) => FloatMath.Exp(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Log(F8 x) => FloatMath.Log(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Tanh(F8 x) => FloatMath.Tanh(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 Erf(F8 x) => FloatMath.Erf(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 IfGreater(F8 a, F8 b, F8 then, F8 otherwise) =>
        new(Vector256.ConditionalSelect(Vector256.GreaterThan(a.V, b.V), then.V, otherwise.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 IfEqual(F8 a, F8 b, F8 then, F8 otherwise) =>
        new(Vector256.ConditionalSelect(Vector256.Equals(a.V, b.V), then.V, otherwise.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 AddBits(F8 a, F8 b) => new((a.V.AsInt32() + b.V.AsInt32()).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 SubBits(F8 a, F8 b) => new((a.V.AsInt32() - b.V.AsInt32()).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 AndBits(F8 a, F8 b) => new(a.V & b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 OrBits(F8 a, F8 b) => new(a.V | b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 ShiftLeft(F8 a, int count) => new((a.V.AsInt32() << count).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 ShiftRight(F8 a, int count) => new((a.V.AsInt32() >> count).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 OfBits(int bits) => new(Vector256.Create(bits).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F8 BitsToFloat(F8 a) => new(Vector256.ConvertToSingle(a.V.AsInt32()));
}

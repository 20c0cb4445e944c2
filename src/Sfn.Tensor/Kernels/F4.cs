using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using X86Fma = System.Runtime.Intrinsics.X86.Fma;

namespace Sfn.Kernels;

/// <summary>4 float32 values in one 128-bit vector.</summary>
/// <param name="v">The vector.</param>
public readonly unsafe struct F4(Vector128<float> v) : IVectorLane<F4>
{
    /// <summary>The vector.</summary>
    public readonly Vector128<float> V = v;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int Width => 4;

    /// <inheritdoc/>
    public float this[int index] => V.GetElement(index);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Load(float* source) => new(Vector128.Load(source));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void Store(float* target) => V.Store(target);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void StoreNonTemporal(float* target) => V.StoreAlignedNonTemporal(target);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public float Fold<TMonoid>(TMonoid monoid) where TMonoid : struct, IMonoid
    {
        var pair = monoid.Combine(this, new F4(Vector128.Shuffle(V, Vector128.Create(2, 3, 0, 1))));
        return monoid.Combine(new F1(pair.V.GetElement(0)), new F1(pair.V.GetElement(1))).V;
    }

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Of(double value) => new(Vector128.Create((float)value));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Of(float value) => new(Vector128.Create(value));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 operator +(F4 a, F4 b) => new(a.V + b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 operator -(F4 a, F4 b) => new(a.V - b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 operator *(F4 a, F4 b) => new(a.V * b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 operator /(F4 a, F4 b) => new(a.V / b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 operator -(F4 a) => new(-a.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Fma(F4 a, F4 b, F4 c)
    {
        // Named instructions, not Vector128.MultiplyAddEstimate: the choice must be the same in every tier of the JIT,
        // or results would change as code warms up.
        if (X86Fma.IsSupported) return new(X86Fma.MultiplyAdd(a.V, b.V, c.V));
        if (AdvSimd.IsSupported) return new(AdvSimd.FusedMultiplyAdd(c.V, a.V, b.V));
        return new(a.V * b.V + c.V);
    }

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Min(F4 a, F4 b) =>
        new(Vector128.ConditionalSelect(Vector128.Equals(a.V, a.V), Vector128.MinNative(a.V, b.V), a.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Max(F4 a, F4 b) =>
        new(Vector128.ConditionalSelect(Vector128.Equals(a.V, a.V), Vector128.MaxNative(a.V, b.V), a.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 MinFast(F4 a, F4 b) => new(Vector128.MinNative(a.V, b.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 MaxFast(F4 a, F4 b) => new(Vector128.MaxNative(a.V, b.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Abs(F4 x) => new(Vector128.Abs(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Sqrt(F4 x) => new(Vector128.Sqrt(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Floor(F4 x) => new(Vector128.Floor(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Exp(F4 x) => FloatMath.Exp(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Log(F4 x) => FloatMath.Log(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Tanh(F4 x) => FloatMath.Tanh(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 Erf(F4 x) => FloatMath.Erf(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 IfGreater(F4 a, F4 b, F4 then, F4 otherwise) =>
        new(Vector128.ConditionalSelect(Vector128.GreaterThan(a.V, b.V), then.V, otherwise.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 IfEqual(F4 a, F4 b, F4 then, F4 otherwise) =>
        new(Vector128.ConditionalSelect(Vector128.Equals(a.V, b.V), then.V, otherwise.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 AddBits(F4 a, F4 b) => new((a.V.AsInt32() + b.V.AsInt32()).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 SubBits(F4 a, F4 b) => new((a.V.AsInt32() - b.V.AsInt32()).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 AndBits(F4 a, F4 b) => new(a.V & b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 OrBits(F4 a, F4 b) => new(a.V | b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 ShiftLeft(F4 a, int count) => new((a.V.AsInt32() << count).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 ShiftRight(F4 a, int count) => new((a.V.AsInt32() >> count).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 OfBits(int bits) => new(Vector128.Create(bits).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F4 BitsToFloat(F4 a) => new(Vector128.ConvertToSingle(a.V.AsInt32()));
}

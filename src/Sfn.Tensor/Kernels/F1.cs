using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using X86Fma = System.Runtime.Intrinsics.X86.Fma;

namespace Sfn.Kernels;

/// <summary>One float32 on the CPU.</summary>
/// <param name="v">The value.</param>
public readonly unsafe struct F1(float v) : IVectorLane<F1>
{
    /// <summary>The value.</summary>
    public readonly float V = v;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int Width => 1;

    /// <inheritdoc/>
    public float this[int index] => V;

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Load(float* source) => new(*source);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void Store(float* target) => *target = V;

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public void StoreNonTemporal(float* target) => *target = V;

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public float Fold<TMonoid>(TMonoid monoid) where TMonoid : struct, IMonoid => V;

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Of(double value) => new((float)value);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Of(float value) => new(value);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 operator +(F1 a, F1 b) => new(a.V + b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 operator -(F1 a, F1 b) => new(a.V - b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 operator *(F1 a, F1 b) => new(a.V * b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 operator /(F1 a, F1 b) => new(a.V / b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 operator -(F1 a) => new(-a.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Fma(F1 a, F1 b, F1 c)
    {
        if (X86Fma.IsSupported)
            return new(X86Fma.MultiplyAddScalar(Whole(a), Whole(b), Whole(c)).ToScalar());
        if (AdvSimd.IsSupported)
            return new(AdvSimd.FusedMultiplyAddScalar(Whole(c).GetLower(), Whole(a).GetLower(), Whole(b).GetLower()).ToScalar());
        return new(a.V * b.V + c.V);

        [MethodImpl(Inline)]
        static Vector128<float> Whole(F1 x) => Vector128.CreateScalarUnsafe(x.V);
    }

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Min(F1 a, F1 b) => new(a.V < b.V || float.IsNaN(a.V) ? a.V : b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Max(F1 a, F1 b) => new(a.V > b.V || float.IsNaN(a.V) ? a.V : b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 MinFast(F1 a, F1 b) => new(a.V < b.V ? a.V : b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 MaxFast(F1 a, F1 b) => new(a.V > b.V ? a.V : b.V);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Abs(F1 x) => new(MathF.Abs(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Sqrt(F1 x) => new(MathF.Sqrt(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Floor(F1 x) => new(MathF.Floor(x.V));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Exp(F1 x) => FloatMath.Exp(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Log(F1 x) => FloatMath.Log(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Tanh(F1 x) => FloatMath.Tanh(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 Erf(F1 x) => FloatMath.Erf(x);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 IfGreater(F1 a, F1 b, F1 then, F1 otherwise) => a.V > b.V ? then : otherwise;

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 IfEqual(F1 a, F1 b, F1 then, F1 otherwise) => a.V == b.V ? then : otherwise;

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 AddBits(F1 a, F1 b) => OfBits(Bits(a) + Bits(b));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 SubBits(F1 a, F1 b) => OfBits(Bits(a) - Bits(b));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 AndBits(F1 a, F1 b) => OfBits(Bits(a) & Bits(b));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 OrBits(F1 a, F1 b) => OfBits(Bits(a) | Bits(b));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 ShiftLeft(F1 a, int count) => OfBits(Bits(a) << count);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 ShiftRight(F1 a, int count) => OfBits(Bits(a) >> count);

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 OfBits(int bits) => new(BitConverter.Int32BitsToSingle(bits));

    /// <inheritdoc/>
    [MethodImpl(Inline)]
    public static F1 BitsToFloat(F1 a) => new(Bits(a));

    [MethodImpl(Inline)]
    private static int Bits(F1 a) => BitConverter.SingleToInt32Bits(a.V);
}

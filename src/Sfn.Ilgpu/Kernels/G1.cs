using System.Runtime.CompilerServices;
using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>One float32 in a GPU thread: the lane every op body runs on there.</summary>
/// <remarks>
/// Exp, log, tanh and erf are FloatMath's polynomials: a GPU's own versions have 10 to 12 correct bits and other special values. Fma is a
/// product and a difference, which the drivers' compilers contract: ILGPU has no fused form, and it adds up the constants of a sum of sums,
/// which the reductions of FloatMath must not suffer. A comparison with a constant on its left comes out true for NaN (ILGPU turns it round and
/// loses the order), so constants stand on the right here.
/// </remarks>
internal readonly struct G1(float v) : IFloatLane<G1>
{
    public readonly float V = v;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    [MethodImpl(Inline)]
    public static G1 Of(double value) => new((float)value);

    [MethodImpl(Inline)]
    public static G1 Of(float value) => new(value);

    [MethodImpl(Inline)]
    public static G1 operator +(G1 a, G1 b) => new(a.V + b.V);

    [MethodImpl(Inline)]
    public static G1 operator -(G1 a, G1 b) => new(a.V - b.V);

    [MethodImpl(Inline)]
    public static G1 operator *(G1 a, G1 b) => new(a.V * b.V);

    [MethodImpl(Inline)]
    public static G1 operator /(G1 a, G1 b) => new(a.V / b.V);

    [MethodImpl(Inline)]
    public static G1 operator -(G1 a) => new(-a.V);

    [MethodImpl(Inline)]
    public static G1 Fma(G1 a, G1 b, G1 c) => new(c.V - -a.V * b.V);

    [MethodImpl(Inline)]
    public static G1 Min(G1 a, G1 b) => new(float.IsNaN(a.V) ? a.V : b.V > a.V ? a.V : b.V);

    [MethodImpl(Inline)]
    public static G1 Max(G1 a, G1 b) => new(float.IsNaN(a.V) ? a.V : b.V < a.V ? a.V : b.V);

    [MethodImpl(Inline)]
    public static G1 MinFast(G1 a, G1 b) => new(b.V > a.V ? a.V : b.V);

    [MethodImpl(Inline)]
    public static G1 MaxFast(G1 a, G1 b) => new(b.V < a.V ? a.V : b.V);

    [MethodImpl(Inline)]
    public static G1 Abs(G1 x) => OfBits(Bits(x) & int.MaxValue);

    [MethodImpl(Inline)]
    public static G1 Sqrt(G1 x) => new(MathF.Sqrt(x.V));

    [MethodImpl(Inline)]
    public static G1 Floor(G1 x) => new(MathF.Floor(x.V));

    [MethodImpl(Inline)]
    public static G1 Exp(G1 x) => FloatMath.Exp(x);

    [MethodImpl(Inline)]
    public static G1 Log(G1 x) => FloatMath.Log(x);

    [MethodImpl(Inline)]
    public static G1 Tanh(G1 x) => FloatMath.Tanh(x);

    [MethodImpl(Inline)]
    public static G1 Erf(G1 x) => FloatMath.Erf(x);

    [MethodImpl(Inline)]
    public static G1 IfGreater(G1 a, G1 b, G1 then, G1 otherwise) => new(a.V - b.V > 0 ? then.V : otherwise.V);

    [MethodImpl(Inline)]
    public static G1 IfEqual(G1 a, G1 b, G1 then, G1 otherwise) => new(!float.IsNaN(a.V) && !float.IsNaN(b.V) && a.V == b.V ? then.V : otherwise.V);

    [MethodImpl(Inline)]
    public static G1 AddBits(G1 a, G1 b) => OfBits(Bits(a) + Bits(b));

    [MethodImpl(Inline)]
    public static G1 SubBits(G1 a, G1 b) => OfBits(Bits(a) - Bits(b));

    [MethodImpl(Inline)]
    public static G1 AndBits(G1 a, G1 b) => OfBits(Bits(a) & Bits(b));

    [MethodImpl(Inline)]
    public static G1 OrBits(G1 a, G1 b) => OfBits(Bits(a) | Bits(b));

    [MethodImpl(Inline)]
    public static G1 ShiftLeft(G1 a, int count) => OfBits(Bits(a) << count);

    [MethodImpl(Inline)]
    public static G1 ShiftRight(G1 a, int count) => OfBits(Bits(a) >> count);

    [MethodImpl(Inline)]
    public static G1 OfBits(int bits) => new(Interop.IntAsFloat((uint)bits));

    [MethodImpl(Inline)]
    public static G1 BitsToFloat(G1 a) => new(Bits(a));

    [MethodImpl(Inline)]
    private static int Bits(G1 a) => (int)Interop.FloatAsInt(a.V);
}

using System.Runtime.CompilerServices;
using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>How an element lies in memory, and how it becomes float32 and back. The conversions are those of the reference backend.</summary>
internal interface IElement<S> where S : unmanaged, IElement<S>
{
    static abstract string Name { get; }

    static abstract G1 Load(S x);

    static abstract S Store(G1 x);
}

/// <summary>Elements of numbers with a fraction that float32 holds: those that ops with a gradient take.</summary>
internal interface IFloatElement<S> : IElement<S> where S : unmanaged, IFloatElement<S>;

/// <summary>Elements that name rows or classes: exact, where float32 ends at 2²⁴.</summary>
internal interface IIndex<S> : IElement<S> where S : unmanaged, IIndex<S>
{
    static abstract int Id(S x);
}

/// <summary>Elements whose values need float64: float64 itself and 32-bit integers.</summary>
internal interface IWideElement<S> where S : unmanaged, IWideElement<S>
{
    static abstract string Name { get; }

    static abstract G64 LoadWide(S x);

    static abstract S StoreWide(G64 x);
}

internal readonly struct F32(float v) : IFloatElement<F32>, IWideElement<F32>
{
    public readonly float V = v;

    public static string Name => "f32";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 Load(F32 x) => new(x.V);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F32 Store(G1 x) => new(x.V);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G64 LoadWide(F32 x) => new(x.V);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F32 StoreWide(G64 x) => new((float)x.V);
}

internal readonly struct Bf16(ushort bits) : IFloatElement<Bf16>, IWideElement<Bf16>
{
    public readonly ushort Bits = bits;

    public static string Name => "bf16";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 Load(Bf16 x) => new(Interop.IntAsFloat((uint)x.Bits << 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bf16 Store(G1 x) => new((ushort)Round(x.V));

    // By way of float32 rounded to odd: rounding twice can go the wrong way at a tie.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bf16 StoreWide(G64 x)
    {
        float single = (float)x.V;
        uint bits = Interop.FloatAsInt(single);
        bool finite = (bits & 0x7F800000) != 0x7F800000;
        double back = single, size = back < 0 ? -back : back, wanted = x.V < 0 ? -x.V : x.V;
        if (finite && back != x.V) bits = (size > wanted ? bits - 1 : bits) | 1;
        return new((ushort)Round(Interop.IntAsFloat(bits)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G64 LoadWide(Bf16 x) => new(Interop.IntAsFloat((uint)x.Bits << 16));

    /// <summary>The upper 16 bits of x, rounded to nearest even; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Round(float x)
    {
        uint bits = Interop.FloatAsInt(x);
        return float.IsNaN(x) ? bits >> 16 | 0x40 : bits + 0x7FFF + (bits >> 16 & 1) >> 16;
    }
}

internal readonly struct F64(double v) : IWideElement<F64>
{
    public readonly double V = v;

    public static string Name => "f64";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G64 LoadWide(F64 x) => new(x.V);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F64 StoreWide(G64 x) => new(x.V);
}

internal readonly struct I32(int v) : IIndex<I32>, IWideElement<I32>
{
    public readonly int V = v;

    public static string Name => "i32";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Id(I32 x) => x.V;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 Load(I32 x) => new(x.V);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static I32 Store(G1 x) =>
        new(float.IsNaN(x.V) ? 0 : x.V >= 2147483648f ? int.MaxValue : x.V <= -2147483648f ? int.MinValue : (int)x.V);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G64 LoadWide(I32 x) => new(x.V);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static I32 StoreWide(G64 x) =>
        new(double.IsNaN(x.V) ? 0 : x.V >= 2147483647.0 ? int.MaxValue : x.V <= -2147483648.0 ? int.MinValue : (int)x.V);
}

// Unsigned elements are masked where they are read: ILGPU widens them with a sign.
internal readonly struct U16(ushort v) : IIndex<U16>, IWideElement<U16>
{
    public readonly ushort V = v;

    public static string Name => "u16";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Id(U16 x) => x.V & 0xFFFF;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 Load(U16 x) => new(x.V & 0xFFFF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U16 Store(G1 x) => new((ushort)(x.V > 0 ? x.V >= 65535f ? 65535 : (int)x.V : 0));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G64 LoadWide(U16 x) => new(x.V & 0xFFFF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U16 StoreWide(G64 x) => new((ushort)(x.V > 0 ? x.V >= 65535.0 ? 65535 : (int)x.V : 0));
}

internal readonly struct U8(byte v) : IIndex<U8>, IWideElement<U8>
{
    public readonly byte V = v;

    public static string Name => "u8";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Id(U8 x) => x.V & 0xFF;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 Load(U8 x) => new(x.V & 0xFF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U8 Store(G1 x) => new((byte)(x.V > 0 ? x.V >= 255f ? 255 : (int)x.V : 0));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G64 LoadWide(U8 x) => new(x.V & 0xFF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U8 StoreWide(G64 x) => new((byte)(x.V > 0 ? x.V >= 255.0 ? 255 : (int)x.V : 0));
}

internal readonly struct B8(byte v) : IElement<B8>, IWideElement<B8>
{
    public readonly byte V = v;

    public static string Name => "bool";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 Load(B8 x) => new(x.V != 0 ? 1f : 0f);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static B8 Store(G1 x) => new((byte)(x.V != 0f ? 1 : 0));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G64 LoadWide(B8 x) => new(x.V != 0 ? 1.0 : 0.0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static B8 StoreWide(G64 x) => new((byte)(x.V != 0.0 ? 1 : 0));
}

/// <summary>Four neighbouring elements that one instruction moves.</summary>
internal interface IQuad<Q, S> where Q : unmanaged, IQuad<Q, S> where S : unmanaged, IElement<S>
{
    static abstract G1 A(Q q);

    static abstract G1 B(Q q);

    static abstract G1 C(Q q);

    static abstract G1 D(Q q);

    static abstract Q Of(G1 a, G1 b, G1 c, G1 d);
}

/// <summary>16 bytes of float32.</summary>
internal struct F32x4 : IQuad<F32x4, F32>
{
    public float X, Y, Z, W;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 A(F32x4 q) => new(q.X);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 B(F32x4 q) => new(q.Y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 C(F32x4 q) => new(q.Z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 D(F32x4 q) => new(q.W);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F32x4 Of(G1 a, G1 b, G1 c, G1 d) => new() { X = a.V, Y = b.V, Z = c.V, W = d.V };
}

/// <summary>8 bytes of bfloat16.</summary>
internal struct Bf16x4 : IQuad<Bf16x4, Bf16>
{
    public uint X, Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 A(Bf16x4 q) => new(Interop.IntAsFloat(q.X << 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 B(Bf16x4 q) => new(Interop.IntAsFloat(q.X & 0xFFFF0000));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 C(Bf16x4 q) => new(Interop.IntAsFloat(q.Y << 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 D(Bf16x4 q) => new(Interop.IntAsFloat(q.Y & 0xFFFF0000));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bf16x4 Of(G1 a, G1 b, G1 c, G1 d) => new()
    {
        X = Bf16.Round(a.V) | Bf16.Round(b.V) << 16,
        Y = Bf16.Round(c.V) | Bf16.Round(d.V) << 16,
    };
}

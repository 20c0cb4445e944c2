using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>The vector operations the attention kernels need, so that one source serves 512, 256 and 128 bits. All of it inlines away.</summary>
internal unsafe interface ISimd<V> where V : struct
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Width { get; }

    /// <summary>Rows of the widest register tile: 8 × 2 accumulators need 32 registers, 6 × 2 fit in 16.</summary>
    static abstract int TileRows { get; }

    static abstract V Zero { get; }
    static abstract V Lanes { get; } // 0, 1, 2, ...
    static abstract V Load(float* p);
    static abstract void Store(float* p, V x);
    static abstract V Splat(float x);
    static abstract V Add(V a, V b);
    static abstract V Sub(V a, V b);
    static abstract V Mul(V a, V b);
    static abstract V Div(V a, V b);
    static abstract V Fma(V a, V b, V c);

    /// <summary>One instruction; with a NaN it returns either operand.</summary>
    static abstract V Max(V a, V b);
    static abstract V Exp(V x);
    static abstract V Log(V x);
    static abstract V IfLess(V a, V b, V then, V otherwise);
    static abstract V IfEqual(V a, V b, V then, V otherwise);

    /// <summary>The four horizontal sums.</summary>
    static abstract Vector128<float> Sums(V a, V b, V c, V d);
}

internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    public static int Width { [MethodImpl(Inline)] get => 16; }
    public static int TileRows { [MethodImpl(Inline)] get => 8; }
    public static Vector512<float> Zero { [MethodImpl(Inline)] get => Vector512<float>.Zero; }
    public static Vector512<float> Lanes { [MethodImpl(Inline)] get => Vector512.CreateSequence(0f, 1f); }
    [MethodImpl(Inline)] public static Vector512<float> Load(float* p) => Vector512.Load(p);
    [MethodImpl(Inline)] public static void Store(float* p, Vector512<float> x) => x.Store(p);
    [MethodImpl(Inline)] public static Vector512<float> Splat(float x) => Vector512.Create(x);
    [MethodImpl(Inline)] public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;
    [MethodImpl(Inline)] public static Vector512<float> Sub(Vector512<float> a, Vector512<float> b) => a - b;
    [MethodImpl(Inline)] public static Vector512<float> Mul(Vector512<float> a, Vector512<float> b) => a * b;
    [MethodImpl(Inline)] public static Vector512<float> Div(Vector512<float> a, Vector512<float> b) => a / b;

    // The estimate form is a fused instruction where there is one and never the slow software emulation of a fused rounding.
    [MethodImpl(Inline)]
    public static Vector512<float> Fma(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)] public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.MaxNative(a, b);
    [MethodImpl(Inline)] public static Vector512<float> Exp(Vector512<float> x) => Vec.Exp(x);
    [MethodImpl(Inline)] public static Vector512<float> Log(Vector512<float> x) => Vec.Log(x);

    [MethodImpl(Inline)]
    public static Vector512<float> IfLess(Vector512<float> a, Vector512<float> b, Vector512<float> then, Vector512<float> otherwise) =>
        Vector512.ConditionalSelect(Vector512.LessThan(a, b), then, otherwise);

    [MethodImpl(Inline)]
    public static Vector512<float> IfEqual(Vector512<float> a, Vector512<float> b, Vector512<float> then, Vector512<float> otherwise) =>
        Vector512.ConditionalSelect(Vector512.Equals(a, b), then, otherwise);

    [MethodImpl(Inline)]
    public static Vector128<float> Sums(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) =>
        Simd256.Sums(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());
}

internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    public static int Width { [MethodImpl(Inline)] get => 8; }
    public static int TileRows { [MethodImpl(Inline)] get => 6; }
    public static Vector256<float> Zero { [MethodImpl(Inline)] get => Vector256<float>.Zero; }
    public static Vector256<float> Lanes { [MethodImpl(Inline)] get => Vector256.CreateSequence(0f, 1f); }
    [MethodImpl(Inline)] public static Vector256<float> Load(float* p) => Vector256.Load(p);
    [MethodImpl(Inline)] public static void Store(float* p, Vector256<float> x) => x.Store(p);
    [MethodImpl(Inline)] public static Vector256<float> Splat(float x) => Vector256.Create(x);
    [MethodImpl(Inline)] public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;
    [MethodImpl(Inline)] public static Vector256<float> Sub(Vector256<float> a, Vector256<float> b) => a - b;
    [MethodImpl(Inline)] public static Vector256<float> Mul(Vector256<float> a, Vector256<float> b) => a * b;
    [MethodImpl(Inline)] public static Vector256<float> Div(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(Inline)]
    public static Vector256<float> Fma(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)] public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.MaxNative(a, b);
    [MethodImpl(Inline)] public static Vector256<float> Exp(Vector256<float> x) => Vec.Exp(x);
    [MethodImpl(Inline)] public static Vector256<float> Log(Vector256<float> x) => Vec.Log(x);

    [MethodImpl(Inline)]
    public static Vector256<float> IfLess(Vector256<float> a, Vector256<float> b, Vector256<float> then, Vector256<float> otherwise) =>
        Vector256.ConditionalSelect(Vector256.LessThan(a, b), then, otherwise);

    [MethodImpl(Inline)]
    public static Vector256<float> IfEqual(Vector256<float> a, Vector256<float> b, Vector256<float> then, Vector256<float> otherwise) =>
        Vector256.ConditionalSelect(Vector256.Equals(a, b), then, otherwise);

    [MethodImpl(Inline)]
    public static Vector128<float> Sums(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) =>
        Simd128.Sums(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());
}

internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    public static int Width { [MethodImpl(Inline)] get => 4; }
    public static int TileRows { [MethodImpl(Inline)] get => 6; }
    public static Vector128<float> Zero { [MethodImpl(Inline)] get => Vector128<float>.Zero; }
    public static Vector128<float> Lanes { [MethodImpl(Inline)] get => Vector128.CreateSequence(0f, 1f); }
    [MethodImpl(Inline)] public static Vector128<float> Load(float* p) => Vector128.Load(p);
    [MethodImpl(Inline)] public static void Store(float* p, Vector128<float> x) => x.Store(p);
    [MethodImpl(Inline)] public static Vector128<float> Splat(float x) => Vector128.Create(x);
    [MethodImpl(Inline)] public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;
    [MethodImpl(Inline)] public static Vector128<float> Sub(Vector128<float> a, Vector128<float> b) => a - b;
    [MethodImpl(Inline)] public static Vector128<float> Mul(Vector128<float> a, Vector128<float> b) => a * b;
    [MethodImpl(Inline)] public static Vector128<float> Div(Vector128<float> a, Vector128<float> b) => a / b;

    [MethodImpl(Inline)]
    public static Vector128<float> Fma(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Vector128.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)] public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Vector128.MaxNative(a, b);
    [MethodImpl(Inline)] public static Vector128<float> Exp(Vector128<float> x) => Vec.Exp(x);
    [MethodImpl(Inline)] public static Vector128<float> Log(Vector128<float> x) => Vec.Log(x);

    [MethodImpl(Inline)]
    public static Vector128<float> IfLess(Vector128<float> a, Vector128<float> b, Vector128<float> then, Vector128<float> otherwise) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a, b), then, otherwise);

    [MethodImpl(Inline)]
    public static Vector128<float> IfEqual(Vector128<float> a, Vector128<float> b, Vector128<float> then, Vector128<float> otherwise) =>
        Vector128.ConditionalSelect(Vector128.Equals(a, b), then, otherwise);

    [MethodImpl(Inline)]
    public static Vector128<float> Sums(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        var columns = Transpose.Square4(a, b, c, d);
        return (columns.A + columns.B) + (columns.C + columns.D);
    }
}

using System.Runtime.CompilerServices;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Register tiles of C = A·B: each holds R rows by one or two vectors of C in registers over the whole depth. A is read in place,
/// one broadcast per row (any row and column stride, in bytes); B is rows of vectors (row stride in floats).
/// </summary>
/// <remarks>
/// With <c>alpha</c> null the tile is stored; otherwise C = C·alpha + tile with one factor per column, which both accumulates
/// (alpha = 1) and rescales a running softmax. Accumulators are named locals, since an array of them would live in memory.
/// </remarks>
internal static unsafe class AttentionTiles
{
    private const MethodImplOptions Hot = MethodImplOptions.AggressiveOptimization;

    [MethodImpl(Hot)]
    public static void Tile8x2<S, V>(nint depth, byte* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, float* alpha)
        where S : struct, ISimd<V> where V : struct
    {
        V x00 = S.Zero, x10 = S.Zero, x20 = S.Zero, x30 = S.Zero, x40 = S.Zero, x50 = S.Zero, x60 = S.Zero, x70 = S.Zero;
        V x01 = S.Zero, x11 = S.Zero, x21 = S.Zero, x31 = S.Zero, x41 = S.Zero, x51 = S.Zero, x61 = S.Zero, x71 = S.Zero;
        byte* a3 = a + 3 * aRow, a6 = a + 6 * aRow;
        for (; depth > 0; depth--)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            V t = S.Splat(*(float*)a);
            x00 = S.Fma(t, b0, x00);
            x01 = S.Fma(t, b1, x01);
            t = S.Splat(*(float*)(a + aRow));
            x10 = S.Fma(t, b0, x10);
            x11 = S.Fma(t, b1, x11);
            t = S.Splat(*(float*)(a + 2 * aRow));
            x20 = S.Fma(t, b0, x20);
            x21 = S.Fma(t, b1, x21);
            t = S.Splat(*(float*)a3);
            x30 = S.Fma(t, b0, x30);
            x31 = S.Fma(t, b1, x31);
            t = S.Splat(*(float*)(a3 + aRow));
            x40 = S.Fma(t, b0, x40);
            x41 = S.Fma(t, b1, x41);
            t = S.Splat(*(float*)(a3 + 2 * aRow));
            x50 = S.Fma(t, b0, x50);
            x51 = S.Fma(t, b1, x51);
            t = S.Splat(*(float*)a6);
            x60 = S.Fma(t, b0, x60);
            x61 = S.Fma(t, b1, x61);
            t = S.Splat(*(float*)(a6 + aRow));
            x70 = S.Fma(t, b0, x70);
            x71 = S.Fma(t, b1, x71);
            a += aColumn;
            a3 += aColumn;
            a6 += aColumn;
            b += bRow;
        }
        Put<S, V>(c, x00, x01, alpha);
        Put<S, V>(c + cRow, x10, x11, alpha);
        Put<S, V>(c + 2 * cRow, x20, x21, alpha);
        Put<S, V>(c + 3 * cRow, x30, x31, alpha);
        Put<S, V>(c + 4 * cRow, x40, x41, alpha);
        Put<S, V>(c + 5 * cRow, x50, x51, alpha);
        Put<S, V>(c + 6 * cRow, x60, x61, alpha);
        Put<S, V>(c + 7 * cRow, x70, x71, alpha);
    }

    [MethodImpl(Hot)]
    public static void Tile6x2<S, V>(nint depth, byte* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, float* alpha)
        where S : struct, ISimd<V> where V : struct
    {
        V x00 = S.Zero, x10 = S.Zero, x20 = S.Zero, x30 = S.Zero, x40 = S.Zero, x50 = S.Zero;
        V x01 = S.Zero, x11 = S.Zero, x21 = S.Zero, x31 = S.Zero, x41 = S.Zero, x51 = S.Zero;
        byte* a3 = a + 3 * aRow;
        for (; depth > 0; depth--)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            V t = S.Splat(*(float*)a);
            x00 = S.Fma(t, b0, x00);
            x01 = S.Fma(t, b1, x01);
            t = S.Splat(*(float*)(a + aRow));
            x10 = S.Fma(t, b0, x10);
            x11 = S.Fma(t, b1, x11);
            t = S.Splat(*(float*)(a + 2 * aRow));
            x20 = S.Fma(t, b0, x20);
            x21 = S.Fma(t, b1, x21);
            t = S.Splat(*(float*)a3);
            x30 = S.Fma(t, b0, x30);
            x31 = S.Fma(t, b1, x31);
            t = S.Splat(*(float*)(a3 + aRow));
            x40 = S.Fma(t, b0, x40);
            x41 = S.Fma(t, b1, x41);
            t = S.Splat(*(float*)(a3 + 2 * aRow));
            x50 = S.Fma(t, b0, x50);
            x51 = S.Fma(t, b1, x51);
            a += aColumn;
            a3 += aColumn;
            b += bRow;
        }
        Put<S, V>(c, x00, x01, alpha);
        Put<S, V>(c + cRow, x10, x11, alpha);
        Put<S, V>(c + 2 * cRow, x20, x21, alpha);
        Put<S, V>(c + 3 * cRow, x30, x31, alpha);
        Put<S, V>(c + 4 * cRow, x40, x41, alpha);
        Put<S, V>(c + 5 * cRow, x50, x51, alpha);
    }

    [MethodImpl(Hot)]
    public static void Tile4x2<S, V>(nint depth, byte* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, float* alpha)
        where S : struct, ISimd<V> where V : struct
    {
        V x00 = S.Zero, x10 = S.Zero, x20 = S.Zero, x30 = S.Zero;
        V x01 = S.Zero, x11 = S.Zero, x21 = S.Zero, x31 = S.Zero;
        byte* a3 = a + 3 * aRow;
        for (; depth > 0; depth--)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            V t = S.Splat(*(float*)a);
            x00 = S.Fma(t, b0, x00);
            x01 = S.Fma(t, b1, x01);
            t = S.Splat(*(float*)(a + aRow));
            x10 = S.Fma(t, b0, x10);
            x11 = S.Fma(t, b1, x11);
            t = S.Splat(*(float*)(a + 2 * aRow));
            x20 = S.Fma(t, b0, x20);
            x21 = S.Fma(t, b1, x21);
            t = S.Splat(*(float*)a3);
            x30 = S.Fma(t, b0, x30);
            x31 = S.Fma(t, b1, x31);
            a += aColumn;
            a3 += aColumn;
            b += bRow;
        }
        Put<S, V>(c, x00, x01, alpha);
        Put<S, V>(c + cRow, x10, x11, alpha);
        Put<S, V>(c + 2 * cRow, x20, x21, alpha);
        Put<S, V>(c + 3 * cRow, x30, x31, alpha);
    }

    [MethodImpl(Hot)]
    public static void Tile1x2<S, V>(nint depth, byte* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, float* alpha)
        where S : struct, ISimd<V> where V : struct
    {
        V x00 = S.Zero;
        V x01 = S.Zero;
        for (; depth > 0; depth--)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            V t = S.Splat(*(float*)a);
            x00 = S.Fma(t, b0, x00);
            x01 = S.Fma(t, b1, x01);
            a += aColumn;
            b += bRow;
        }
        Put<S, V>(c, x00, x01, alpha);
    }

    [MethodImpl(Hot)]
    public static void Tile8x1<S, V>(nint depth, byte* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, float* alpha)
        where S : struct, ISimd<V> where V : struct
    {
        V x00 = S.Zero, x10 = S.Zero, x20 = S.Zero, x30 = S.Zero, x40 = S.Zero, x50 = S.Zero, x60 = S.Zero, x70 = S.Zero;
        byte* a3 = a + 3 * aRow, a6 = a + 6 * aRow;
        for (; depth > 0; depth--)
        {
            V b0 = S.Load(b);
            V t = S.Splat(*(float*)a);
            x00 = S.Fma(t, b0, x00);
            t = S.Splat(*(float*)(a + aRow));
            x10 = S.Fma(t, b0, x10);
            t = S.Splat(*(float*)(a + 2 * aRow));
            x20 = S.Fma(t, b0, x20);
            t = S.Splat(*(float*)a3);
            x30 = S.Fma(t, b0, x30);
            t = S.Splat(*(float*)(a3 + aRow));
            x40 = S.Fma(t, b0, x40);
            t = S.Splat(*(float*)(a3 + 2 * aRow));
            x50 = S.Fma(t, b0, x50);
            t = S.Splat(*(float*)a6);
            x60 = S.Fma(t, b0, x60);
            t = S.Splat(*(float*)(a6 + aRow));
            x70 = S.Fma(t, b0, x70);
            a += aColumn;
            a3 += aColumn;
            a6 += aColumn;
            b += bRow;
        }
        Put<S, V>(c, x00, alpha);
        Put<S, V>(c + cRow, x10, alpha);
        Put<S, V>(c + 2 * cRow, x20, alpha);
        Put<S, V>(c + 3 * cRow, x30, alpha);
        Put<S, V>(c + 4 * cRow, x40, alpha);
        Put<S, V>(c + 5 * cRow, x50, alpha);
        Put<S, V>(c + 6 * cRow, x60, alpha);
        Put<S, V>(c + 7 * cRow, x70, alpha);
    }

    [MethodImpl(Hot)]
    public static void Tile4x1<S, V>(nint depth, byte* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, float* alpha)
        where S : struct, ISimd<V> where V : struct
    {
        V x00 = S.Zero, x10 = S.Zero, x20 = S.Zero, x30 = S.Zero;
        byte* a3 = a + 3 * aRow;
        for (; depth > 0; depth--)
        {
            V b0 = S.Load(b);
            V t = S.Splat(*(float*)a);
            x00 = S.Fma(t, b0, x00);
            t = S.Splat(*(float*)(a + aRow));
            x10 = S.Fma(t, b0, x10);
            t = S.Splat(*(float*)(a + 2 * aRow));
            x20 = S.Fma(t, b0, x20);
            t = S.Splat(*(float*)a3);
            x30 = S.Fma(t, b0, x30);
            a += aColumn;
            a3 += aColumn;
            b += bRow;
        }
        Put<S, V>(c, x00, alpha);
        Put<S, V>(c + cRow, x10, alpha);
        Put<S, V>(c + 2 * cRow, x20, alpha);
        Put<S, V>(c + 3 * cRow, x30, alpha);
    }

    [MethodImpl(Hot)]
    public static void Tile1x1<S, V>(nint depth, byte* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, float* alpha)
        where S : struct, ISimd<V> where V : struct
    {
        V x00 = S.Zero;
        for (; depth > 0; depth--)
        {
            V b0 = S.Load(b);
            V t = S.Splat(*(float*)a);
            x00 = S.Fma(t, b0, x00);
            a += aColumn;
            b += bRow;
        }
        Put<S, V>(c, x00, alpha);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<S, V>(float* c, V x0, V x1, float* alpha) where S : struct, ISimd<V> where V : struct
    {
        if (alpha != null)
        {
            x0 = S.Fma(S.Load(c), S.Load(alpha), x0);
            x1 = S.Fma(S.Load(c + S.Width), S.Load(alpha + S.Width), x1);
        }
        S.Store(c, x0);
        S.Store(c + S.Width, x1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<S, V>(float* c, V x0, float* alpha) where S : struct, ISimd<V> where V : struct
    {
        if (alpha != null) x0 = S.Fma(S.Load(c), S.Load(alpha), x0);
        S.Store(c, x0);
    }
}

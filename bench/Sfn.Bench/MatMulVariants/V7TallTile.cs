using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using Sfn.Backends.Cpu;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>What a tile does besides, once per step along K.</summary>
internal interface IAside
{
    void Step();
}

/// <summary>Nothing: leaves no instruction behind.</summary>
internal readonly struct Nothing : IAside
{
    public void Step() { }
}

/// <summary>
/// Where there are 32 registers the tile is 8 rows tall: every vector of B that is loaded serves eight multiply-adds instead of four.
/// </summary>
internal readonly unsafe struct V7TallTile : IVariant
{
    private const int KBlock = V5KBlocks.KBlock, Vectors = V4RegisterTile.Vectors;

    /// <summary>AVX-512 and Arm64 have 32 vector registers.</summary>
    public static bool Fits => Vector512.IsHardwareAccelerated || AdvSimd.Arm64.IsSupported;

    public static int Rows => Fits ? 8 : V4RegisterTile.Rows;

    public static void Run<L>(Product p) where L : struct, IVectorLane<L>
    {
        int width = Vectors * L.Width;
        float* packed = CpuScratch.Rent(ScratchUse.GemmB, (long)KBlock * p.N);
        for (int k = 0; k < p.K; k += KBlock)
        {
            for (int j = 0; j < p.N; j += width) V6PackedB.Pack<L>(packed + KBlock * j, p.B + k * p.N + j, p.N);
            for (int j = 0; j < p.N; j += width)
            {
                for (int i = 0; i < p.M; i += Rows)
                    Tile<L, Nothing>(p.A + i * p.K + k, p.K, packed + KBlock * j, p.C + i * p.N + j, p.N, add: k > 0, default);
            }
        }
    }

    /// <summary>C = A·B, or C += A·B, for the tallest tile of this machine, a block of K and a packed panel.</summary>
    public static void Tile<L, TAside>(float* a, int lda, float* panel, float* c, int ldc, bool add, TAside aside)
        where L : struct, IVectorLane<L> where TAside : struct, IAside
    {
        if (Fits) Tile8<L, TAside>(KBlock, a, lda, panel, c, ldc, add, aside);
        else V4RegisterTile.Tile<L>(KBlock, a, lda, panel, Vectors * L.Width, c, ldc, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile8<L, TAside>(int k, float* a, int lda, float* b, float* c, int ldc, bool add, TAside aside)
        where L : struct, IVectorLane<L> where TAside : struct, IAside
    {
        L c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        L c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        L c40 = default, c41 = default, c42 = default, c50 = default, c51 = default, c52 = default;
        L c60 = default, c61 = default, c62 = default, c70 = default, c71 = default, c72 = default;
        float* low = a + 4 * lda;
        for (; k > 0; k--)
        {
            aside.Step();
            L b0 = L.Load(b), b1 = L.Load(b + L.Width), b2 = L.Load(b + 2 * L.Width);
            L x = L.Of(a[0]);
            c00 = L.Fma(x, b0, c00); c01 = L.Fma(x, b1, c01); c02 = L.Fma(x, b2, c02);
            x = L.Of(a[lda]);
            c10 = L.Fma(x, b0, c10); c11 = L.Fma(x, b1, c11); c12 = L.Fma(x, b2, c12);
            x = L.Of(a[2 * lda]);
            c20 = L.Fma(x, b0, c20); c21 = L.Fma(x, b1, c21); c22 = L.Fma(x, b2, c22);
            x = L.Of(a[3 * lda]);
            c30 = L.Fma(x, b0, c30); c31 = L.Fma(x, b1, c31); c32 = L.Fma(x, b2, c32);
            x = L.Of(low[0]);
            c40 = L.Fma(x, b0, c40); c41 = L.Fma(x, b1, c41); c42 = L.Fma(x, b2, c42);
            x = L.Of(low[lda]);
            c50 = L.Fma(x, b0, c50); c51 = L.Fma(x, b1, c51); c52 = L.Fma(x, b2, c52);
            x = L.Of(low[2 * lda]);
            c60 = L.Fma(x, b0, c60); c61 = L.Fma(x, b1, c61); c62 = L.Fma(x, b2, c62);
            x = L.Of(low[3 * lda]);
            c70 = L.Fma(x, b0, c70); c71 = L.Fma(x, b1, c71); c72 = L.Fma(x, b2, c72);
            a++;
            low++;
            b += Vectors * L.Width;
        }
        V4RegisterTile.Put(c, c00, c01, c02, add);
        V4RegisterTile.Put(c + ldc, c10, c11, c12, add);
        V4RegisterTile.Put(c + 2 * ldc, c20, c21, c22, add);
        V4RegisterTile.Put(c + 3 * ldc, c30, c31, c32, add);
        V4RegisterTile.Put(c + 4 * ldc, c40, c41, c42, add);
        V4RegisterTile.Put(c + 5 * ldc, c50, c51, c52, add);
        V4RegisterTile.Put(c + 6 * ldc, c60, c61, c62, add);
        V4RegisterTile.Put(c + 7 * ldc, c70, c71, c72, add);
    }
}

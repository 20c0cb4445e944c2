using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>
/// A tile of C, 4 rows by 3 vectors, stays in registers for the whole of K. With 3 vectors of B and one number of A that makes 16 registers, as
/// many as AVX2 has.
/// </summary>
internal readonly unsafe struct V4RegisterTile : IVariant
{
    public const int Rows = 4, Vectors = 3;

    public static void Run<L>(Product p) where L : struct, IVectorLane<L>
    {
        for (int j = 0; j < p.N; j += Vectors * L.Width)
        {
            for (int i = 0; i < p.M; i += Rows) Tile<L>(p.K, p.A + i * p.K, p.K, p.B + j, p.N, p.C + i * p.N + j, p.N, add: false);
        }
    }

    /// <summary>C = A·B, or C += A·B, for one tile of C; a row of each matrix is lda, ldb, ldc floats after the row above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Tile<L>(int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool add) where L : struct, IVectorLane<L>
    {
        L c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        L c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        for (; k > 0; k--)
        {
            L b0 = L.Load(b), b1 = L.Load(b + L.Width), b2 = L.Load(b + 2 * L.Width);
            L x = L.Of(a[0]);
            c00 = L.Fma(x, b0, c00); c01 = L.Fma(x, b1, c01); c02 = L.Fma(x, b2, c02);
            x = L.Of(a[lda]);
            c10 = L.Fma(x, b0, c10); c11 = L.Fma(x, b1, c11); c12 = L.Fma(x, b2, c12);
            x = L.Of(a[2 * lda]);
            c20 = L.Fma(x, b0, c20); c21 = L.Fma(x, b1, c21); c22 = L.Fma(x, b2, c22);
            x = L.Of(a[3 * lda]);
            c30 = L.Fma(x, b0, c30); c31 = L.Fma(x, b1, c31); c32 = L.Fma(x, b2, c32);
            a++;
            b += ldb;
        }
        Put(c, c00, c01, c02, add);
        Put(c + ldc, c10, c11, c12, add);
        Put(c + 2 * ldc, c20, c21, c22, add);
        Put(c + 3 * ldc, c30, c31, c32, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<L>(float* c, L c0, L c1, L c2, bool add) where L : struct, IVectorLane<L>
    {
        (add ? c0 + L.Load(c) : c0).Store(c);
        (add ? c1 + L.Load(c + L.Width) : c1).Store(c + L.Width);
        (add ? c2 + L.Load(c + 2 * L.Width) : c2).Store(c + 2 * L.Width);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>The same tile with its accumulators in an array: shorter, and in memory instead of registers.</summary>
internal readonly unsafe struct V4bArrayTrap : IVariant
{
    private const int Rows = V4RegisterTile.Rows, Vectors = V4RegisterTile.Vectors;

    public static void Run<L>(Product p) where L : struct, IVectorLane<L>
    {
        for (int j = 0; j < p.N; j += Vectors * L.Width)
        {
            for (int i = 0; i < p.M; i += Rows) Tile<L>(p.K, p.A + i * p.K, p.K, p.B + j, p.N, p.C + i * p.N + j, p.N);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile<L>(int k, float* a, int lda, float* b, int ldb, float* c, int ldc) where L : struct, IVectorLane<L>
    {
        Span<L> sums = new L[Rows * Vectors];
        for (; k > 0; k--)
        {
            for (int i = 0; i < Rows; i++)
            {
                L x = L.Of(a[i * lda]);
                for (int j = 0; j < Vectors; j++) sums[i * Vectors + j] = L.Fma(x, L.Load(b + j * L.Width), sums[i * Vectors + j]);
            }
            a++;
            b += ldb;
        }
        for (int i = 0; i < Rows; i++)
            for (int j = 0; j < Vectors; j++) sums[i * Vectors + j].Store(c + i * ldc + j * L.Width);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Backends.Cpu;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>Step 6 with the accumulators in an array instead of named locals: shorter to write, and in memory instead of registers.</summary>
internal readonly unsafe struct V6bArrayTrap : IVariant
{
    private const int KBlock = V5KBlocks.KBlock, Rows = V4RegisterTile.Rows, Vectors = V4RegisterTile.Vectors;

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
                    Tile<L>(KBlock, p.A + i * p.K + k, p.K, packed + KBlock * j, width, p.C + i * p.N + j, p.N, add: k > 0);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile<L>(int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool add) where L : struct, IVectorLane<L>
    {
        float* sums = stackalloc float[Rows * Vectors * L.Width];
        new Span<float>(sums, Rows * Vectors * L.Width).Clear();
        for (; k > 0; k--)
        {
            float* sum = sums;
            for (int i = 0; i < Rows; i++)
            {
                L x = L.Of(a[i * lda]);
                for (int j = 0; j < Vectors; j++)
                {
                    L.Fma(x, L.Load(b + j * L.Width), L.Load(sum)).Store(sum);
                    sum += L.Width;
                }
            }
            a++;
            b += ldb;
        }
        for (int i = 0; i < Rows; i++)
        {
            float* sum = sums + i * Vectors * L.Width;
            V4RegisterTile.Put(c + i * ldc, L.Load(sum), L.Load(sum + L.Width), L.Load(sum + 2 * L.Width), add);
        }
    }
}

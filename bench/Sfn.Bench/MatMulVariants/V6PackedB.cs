using System.Runtime.CompilerServices;
using Sfn.Backends.Cpu;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>B is copied once into panels, in exactly the order in which the tiles read it.</summary>
internal readonly unsafe struct V6PackedB : IVariant
{
    private const int KBlock = V5KBlocks.KBlock, Rows = V4RegisterTile.Rows, Vectors = V4RegisterTile.Vectors;

    public static void Run<L>(Product p) where L : struct, IVectorLane<L>
    {
        int width = Vectors * L.Width;
        float* packed = CpuScratch.Rent(ScratchUse.GemmB, (long)KBlock * p.N);
        for (int k = 0; k < p.K; k += KBlock)
        {
            for (int j = 0; j < p.N; j += width) Pack<L>(packed + KBlock * j, p.B + k * p.N + j, p.N);
            for (int j = 0; j < p.N; j += width)
            {
                for (int i = 0; i < p.M; i += Rows)
                    V4RegisterTile.Tile<L>(KBlock, p.A + i * p.K + k, p.K, packed + KBlock * j, width, p.C + i * p.N + j, p.N, add: k > 0);
            }
        }
    }

    /// <summary>Copies a panel, three vectors wide and a block of K high, so that its rows follow each other without a gap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Pack<L>(float* panel, float* b, int ldb) where L : struct, IVectorLane<L>
    {
        for (int k = 0; k < KBlock; k++)
        {
            for (int v = 0; v < Vectors; v++) L.Load(b + v * L.Width).Store(panel + v * L.Width);
            panel += Vectors * L.Width;
            b += ldb;
        }
    }
}

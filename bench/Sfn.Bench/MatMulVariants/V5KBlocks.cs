using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>K is cut into blocks: what the tiles of a column panel read of A and B again and again stays in the caches near the core.</summary>
internal readonly unsafe struct V5KBlocks : IVariant
{
    public const int KBlock = 384;
    private const int Rows = V4RegisterTile.Rows, Vectors = V4RegisterTile.Vectors;

    public static void Run<L>(Product p) where L : struct, IVectorLane<L>
    {
        for (int k = 0; k < p.K; k += KBlock)
        {
            for (int j = 0; j < p.N; j += Vectors * L.Width)
            {
                for (int i = 0; i < p.M; i += Rows)
                    V4RegisterTile.Tile<L>(KBlock, p.A + i * p.K + k, p.K, p.B + k * p.N + j, p.N, p.C + i * p.N + j, p.N, add: k > 0);
            }
        }
    }
}

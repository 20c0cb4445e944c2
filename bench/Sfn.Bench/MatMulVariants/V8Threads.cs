using Sfn.Backends.Cpu;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>All of B is packed first, then C is cut into tiles; the threads take panels, and then tiles, from one list.</summary>
internal readonly struct V8Threads : IVariant
{
    public static void Run<L>(Product p) where L : struct, IVectorLane<L> => new TileList<L>(p).Run();
}

/// <summary>The two phases of <see cref="V8Threads"/>.</summary>
internal unsafe class TileList<L>(Product p) where L : struct, IVectorLane<L>
{
    protected const int KBlock = V5KBlocks.KBlock, TileRows = 64, TileColumns = 384;
    private readonly float* _packed = CpuScratch.Rent(ScratchUse.GemmB, (long)p.K * p.N);

    /// <summary>Columns of a panel.</summary>
    protected static int Width => V4RegisterTile.Vectors * L.Width;

    private sealed class Phase(Action<int> body) : CpuJob
    {
        public override void Run(int chunk) => body(chunk);
    }

    public void Run()
    {
        CpuPool.Run(new Phase(Pack), p.K / KBlock * (p.N / Width));
        CpuPool.Run(new Phase(Tile), p.M / TileRows * (p.N / TileColumns));
    }

    private float* PanelAt(int k, int j) => _packed + k * p.N + j * KBlock;

    private void Pack(int chunk)
    {
        int k = chunk / (p.N / Width) * KBlock, j = chunk % (p.N / Width) * Width;
        V6PackedB.Pack<L>(PanelAt(k, j), p.B + k * p.N + j, p.N);
    }

    private void Tile(int chunk)
    {
        int i = chunk / (p.N / TileColumns) * TileRows, j0 = chunk % (p.N / TileColumns) * TileColumns;
        for (int k = 0; k < p.K; k += KBlock)
            for (int j = j0; j < j0 + TileColumns; j += Width) Strip(p.A + i * p.K + k, p.K, PanelAt(k, j), p.C + i * p.N + j, p.N, add: k > 0);
    }

    /// <summary>The rows of a tile under one panel.</summary>
    protected virtual void Strip(float* a, int lda, float* panel, float* c, int ldc, bool add)
    {
        for (int i = 0; i < TileRows; i += V7TallTile.Rows) V7TallTile.Tile<L, Nothing>(a + i * lda, lda, panel, c + i * ldc, ldc, add, default);
    }
}

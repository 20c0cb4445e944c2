using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Sfn.Backends.Cpu;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>A product in two phases whose chunks any thread may take: packing the panels of B, then computing tiles of C.</summary>
internal sealed unsafe class Panels<L>(Product p, bool prefetch) where L : struct, IVectorLane<L>
{
    private const int KBlock = V5KBlocks.KBlock, TileRows = 128, TileColumns = 192;
    private readonly int _width = V4RegisterTile.Vectors * L.Width;
    private readonly float* _packed = CpuScratch.Rent(ScratchUse.GemmB, (long)p.K * p.N);

    public void Run()
    {
        CpuPool.Run(new Chunks(Pack), p.K / KBlock * (p.N / _width));
        CpuPool.Run(new Chunks(Tile), p.M / TileRows * (p.N / TileColumns));
    }

    private sealed class Chunks(Action<int> body) : CpuJob
    {
        public override void Run(int chunk) => body(chunk);
    }

    /// <summary>Where the panel of a block of K and of 48 (or 24, or 12) columns lies after packing.</summary>
    private float* Panel(int k, int j) => _packed + (long)k * p.N + (long)j * KBlock;

    private void Pack(int chunk)
    {
        int k = chunk / (p.N / _width) * KBlock, j = chunk % (p.N / _width) * _width;
        V6PackedB.Pack<L>(Panel(k, j), p.B + (long)k * p.N + j, p.N);
    }

    private void Tile(int chunk)
    {
        int columns = p.N / TileColumns, i0 = chunk / columns * TileRows, j0 = chunk % columns * TileColumns;
        for (int k = 0; k < p.K; k += KBlock)
        {
            for (int j = j0; j < j0 + TileColumns; j += _width)
            {
                float* panel = Panel(k, j), next = j + _width < j0 + TileColumns ? Panel(k, j + _width) : Panel(k + KBlock, j0);
                if (prefetch && k + KBlock >= p.K && j + _width >= j0 + TileColumns) next = null;
                int slice = KBlock * _width / (TileRows / V7TallTile.Rows);
                for (int i = i0; i < i0 + TileRows; i += V7TallTile.Rows)
                {
                    if (prefetch && next != null) { Prefetch(next, slice); next += slice; }
                    V7TallTile.Tile<L>(p.A + i * p.K + k, p.K, panel, p.C + i * p.N + j, p.N, add: k > 0);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Prefetch(float* from, int floats)
    {
        if (!Sse.IsSupported) return;
        for (int i = 0; i < floats; i += 16) Sse.Prefetch1(from + i);
    }
}

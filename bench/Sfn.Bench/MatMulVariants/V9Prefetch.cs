using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>While the tiles under one panel of B are computed, they bring the next panel into the second-level cache, one line per step along K.</summary>
internal readonly struct V9Prefetch : IVariant
{
    public static void Run<L>(Product p) where L : struct, IVectorLane<L> => new PrefetchingTileList<L>(p).Run();
}

/// <summary>Asks for a cache line with each step.</summary>
internal unsafe struct NextPanel(float* next, int stride) : IAside
{
    private float* _next = next;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Step()
    {
        if (Sse.IsSupported) Sse.Prefetch1(_next);
        _next += stride;
    }
}

/// <summary>The phases of <see cref="V9Prefetch"/>.</summary>
internal sealed unsafe class PrefetchingTileList<L>(Product p) : TileList<L>(p) where L : struct, IVectorLane<L>
{
    protected override void Strip(float* a, int lda, float* panel, float* c, int ldc, bool add)
    {
        // The tiles of this strip share the next panel, which follows in memory, equally.
        float* next = panel + KBlock * Width;
        int slice = KBlock * Width / (TileRows / V7TallTile.Rows);
        for (int i = 0; i < TileRows; i += V7TallTile.Rows)
        {
            V7TallTile.Tile<L, NextPanel>(a + i * lda, lda, panel, c + i * ldc, ldc, add, new NextPanel(next, slice / KBlock));
            next += slice;
        }
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Reductions over the rows of a matrix to one value per column. Rows are cut into blocks of fixed size, each block leaves one row of
/// partials, and these are combined pairwise.
/// </summary>
internal static unsafe class ColumnReduce
{
    /// <summary>Rows of a block.</summary>
    public const long BlockRows = 64;

    private const long TileColumns = 1024;

    /// <summary>y[c] = reduction of column c, or y[c] combined with it under <paramref name="accumulate"/>.</summary>
    public static void Run<TMonoid>(TMonoid op, float* x, float* y, long rows, long cols, long xRow, bool accumulate) where TMonoid : struct, IMonoid
    {
        if (cols == 1 && xRow == 1)
        {
            // One column without gaps is one long row.
            float all = ReduceWalker.All(op, x, rows);
            *y = accumulate ? op.Combine(new F1(*y), new F1(all)).V : all;
            return;
        }
        long blocks = Math.Max(1, (rows + BlockRows - 1) / BlockRows), tiles = (cols + TileColumns - 1) / TileColumns;
        float* partials = blocks == 1 && !accumulate ? y : CpuScratch.Rent(ScratchUse.Partials, blocks * cols);
        var kernel = new Blocks<TMonoid> { Op = op, X = x, Partials = partials, Rows = rows, Cols = cols, XRow = xRow, Tiles = tiles };
        long tileSize = Math.Min(BlockRows, Math.Max(1, rows)) * Math.Min(TileColumns, Math.Max(1, cols));
        Chunked.Run(kernel, blocks * tiles, Math.Max(1, Chunked.Elements / tileSize));
        if (partials != y) Combine(op, partials, y, blocks, cols, accumulate);
    }

    /// <summary>Combines <paramref name="blocks"/> rows of partials pairwise (overwriting them) into y.</summary>
    public static void Combine<TMonoid>(TMonoid op, float* partials, float* y, long blocks, long cols, bool accumulate) where TMonoid : struct, IMonoid
    {
        long tiles = (cols + TileColumns - 1) / TileColumns;
        var kernel = new Joins<TMonoid> { Op = op, Partials = partials, Y = y, Count = blocks, Cols = cols, Accumulate = accumulate };
        Chunked.Run(kernel, tiles, Math.Max(1, Chunked.Elements / (blocks * TileColumns)));
    }

    private struct Blocks<TMonoid> : IRangeKernel where TMonoid : struct, IMonoid
    {
        public TMonoid Op;
        public float* X, Partials;
        public long Rows, Cols, XRow, Tiles;

        public readonly void Range(long begin, long count)
        {
            for (long item = begin; item < begin + count; item++)
            {
                long block = item / Tiles, from = (item - block * Tiles) * TileColumns, top = block * BlockRows;
                float* x = X + top * XRow + from, y = Partials + block * Cols + from;
                long rows = Math.Min(BlockRows, Rows - top), n = Math.Min(TileColumns, Cols - from);
                if (Vector512.IsHardwareAccelerated) Tile<TMonoid, Two<F16>>(Op, x, y, rows, n, XRow);
                else if (Vector256.IsHardwareAccelerated) Tile<TMonoid, Two<F8>>(Op, x, y, rows, n, XRow);
                else if (Vector128.IsHardwareAccelerated) Tile<TMonoid, Two<F4>>(Op, x, y, rows, n, XRow);
                else Tile<TMonoid, F1>(Op, x, y, rows, n, XRow);
            }
        }
    }

    private struct Joins<TMonoid> : IRangeKernel where TMonoid : struct, IMonoid
    {
        public TMonoid Op;
        public float* Partials, Y;
        public long Count, Cols;
        public bool Accumulate;

        public readonly void Range(long begin, long count)
        {
            long from = begin * TileColumns, n = Math.Min(count * TileColumns, Cols - from);
            if (Vector512.IsHardwareAccelerated) Join<Two<F16>>(from, n);
            else if (Vector256.IsHardwareAccelerated) Join<Two<F8>>(from, n);
            else if (Vector128.IsHardwareAccelerated) Join<Two<F4>>(from, n);
            else Join<F1>(from, n);
        }

        private readonly void Join<L>(long from, long n) where L : struct, IVectorLane<L>
        {
            float* p = Partials + from;
            for (long step = 1; step < Count; step *= 2)
                for (long i = 0; i + step < Count; i += 2 * step)
                    Pair<TMonoid, L>(Op, p + i * Cols, p + (i + step) * Cols, n);
            if (Accumulate) Pair<TMonoid, L>(Op, Y + from, p, n);
            else Buffer.MemoryCopy(p, Y + from, n * sizeof(float), n * sizeof(float));
        }
    }

    /// <summary>Reduces a tile of one block, on a lane of choice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Tile<TMonoid, L>(TMonoid op, float* x, float* y, long rows, long n, long xRow)
        where TMonoid : struct, IMonoid where L : struct, IVectorLane<L>
    {
        long i = 0;
        for (; i <= n - 2 * L.Width; i += 2 * L.Width)
        {
            // Even and odd rows apart: four independent chains with the two halves of the lanes.
            L a = op.Identity<L>(), b = a, a2 = a, b2 = a;
            float* at = x + i;
            long r = 0;
            for (; r <= rows - 2; r += 2, at += 2 * xRow)
            {
                a = op.Combine(a, op.Map(L.Load(at)));
                b = op.Combine(b, op.Map(L.Load(at + L.Width)));
                a2 = op.Combine(a2, op.Map(L.Load(at + xRow)));
                b2 = op.Combine(b2, op.Map(L.Load(at + xRow + L.Width)));
            }
            if (r < rows)
            {
                a = op.Combine(a, op.Map(L.Load(at)));
                b = op.Combine(b, op.Map(L.Load(at + L.Width)));
            }
            op.Combine(a, a2).Store(y + i);
            op.Combine(b, b2).Store(y + i + L.Width);
        }
        i += Narrow<TMonoid, L>(op, x + i, y + i, rows, n - i, xRow);
        i += Narrow<TMonoid, F4>(op, x + i, y + i, rows, n - i, xRow);
        Narrow<TMonoid, F1>(op, x + i, y + i, rows, n - i, xRow);
    }

    /// <summary>The columns that fill single lanes; returns how many were done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Narrow<TMonoid, L>(TMonoid op, float* x, float* y, long rows, long n, long xRow)
        where TMonoid : struct, IMonoid where L : struct, IVectorLane<L>
    {
        long i = 0;
        for (; i <= n - L.Width; i += L.Width)
        {
            L a = op.Identity<L>(), b = a;
            float* at = x + i;
            long r = 0;
            for (; r <= rows - 2; r += 2, at += 2 * xRow)
            {
                a = op.Combine(a, op.Map(L.Load(at)));
                b = op.Combine(b, op.Map(L.Load(at + xRow)));
            }
            if (r < rows) a = op.Combine(a, op.Map(L.Load(at)));
            op.Combine(a, b).Store(y + i);
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pair<TMonoid, L>(TMonoid op, float* y, float* x, long n) where TMonoid : struct, IMonoid where L : struct, IVectorLane<L>
    {
        long i = 0;
        for (; i <= n - L.Width; i += L.Width) op.Combine(L.Load(y + i), L.Load(x + i)).Store(y + i);
        for (; i < n; i++) y[i] = op.Combine(new F1(y[i]), new F1(x[i])).V;
    }
}

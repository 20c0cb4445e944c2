using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Reductions along contiguous memory. Partials are combined as a tree of fixed shape: small errors, and the same bits for any number of threads.
/// </summary>
internal static unsafe class ReduceWalker
{
    /// <summary>Lanes that go into one set of four accumulators: 32 additions in a row, so that rounding errors stay small.</summary>
    private const long LeafLanes = 128;

    /// <summary>Elements of a chunk of <see cref="All"/>.</summary>
    private const long Chunk = 65536;

    /// <summary>y[r] = reduction of the <paramref name="cols"/> contiguous elements of row r.</summary>
    public static void Rows<TMonoid>(TMonoid op, float* x, float* y, long rows, long cols, long xRow) where TMonoid : struct, IMonoid
    {
        if (rows < 8 && cols > Chunk)
        {
            // Few long rows: the threads share each row.
            for (long r = 0; r < rows; r++) y[r] = All(op, x + r * xRow, cols);
            return;
        }
        Chunked.Run(new RowsKernel<TMonoid> { Op = op, X = x, Y = y, Cols = cols, XRow = xRow }, rows, Chunked.Rows(cols));
    }

    /// <summary>y[c] = reduction over the rows of column c, or y[c] combined with it under <paramref name="accumulate"/>.</summary>
    public static void Columns<TMonoid>(TMonoid op, float* x, float* y, long rows, long cols, long xRow, bool accumulate) where TMonoid : struct, IMonoid =>
        ColumnReduce.Run(op, x, y, rows, cols, xRow, accumulate);

    /// <summary>The reduction of n contiguous elements.</summary>
    public static float All<TMonoid>(TMonoid op, float* x, long n) where TMonoid : struct, IMonoid
    {
        if (n <= Chunk) return Tree(op, x, n);
        long chunks = (n + Chunk - 1) / Chunk;
        float* partials = CpuScratch.Rent(ScratchUse.Partials, chunks);
        Chunked.RunEach(new AllKernel<TMonoid> { Op = op, X = x, Partials = partials, N = n }, chunks);
        for (long step = 1; step < chunks; step *= 2)
            for (long i = 0; i + step < chunks; i += 2 * step)
                partials[i] = op.Combine(new F1(partials[i]), new F1(partials[i + step])).V;
        return partials[0];
    }

    private struct RowsKernel<TMonoid> : IRangeKernel where TMonoid : struct, IMonoid
    {
        public TMonoid Op;
        public float* X, Y;
        public long Cols, XRow;

        public readonly void Range(long begin, long count)
        {
            // The same tree as All's, so that a row's bits do not depend on how many rows there are.
            for (long r = begin; r < begin + count; r++) Y[r] = Cols <= Chunk ? Tree(Op, X + r * XRow, Cols) : Chunks(Op, X + r * XRow, Cols);
        }

        private static float Chunks(TMonoid op, float* x, long n)
        {
            long chunks = (n + Chunk - 1) / Chunk;
            float* partials = CpuScratch.Rent(ScratchUse.Partials, chunks);
            for (long i = 0; i < chunks; i++) partials[i] = Tree(op, x + i * Chunk, Math.Min(Chunk, n - i * Chunk));
            for (long step = 1; step < chunks; step *= 2)
                for (long i = 0; i + step < chunks; i += 2 * step)
                    partials[i] = op.Combine(new F1(partials[i]), new F1(partials[i + step])).V;
            return partials[0];
        }
    }

    private struct AllKernel<TMonoid> : IRangeKernel where TMonoid : struct, IMonoid
    {
        public TMonoid Op;
        public float* X, Partials;
        public long N;

        public readonly void Range(long begin, long count)
        {
            for (long i = begin; i < begin + count; i++) Partials[i] = Tree(Op, X + i * Chunk, Math.Min(Chunk, N - i * Chunk));
        }
    }

    private static float Tree<TMonoid>(TMonoid op, float* x, long n) where TMonoid : struct, IMonoid
    {
        if (Vector512.IsHardwareAccelerated) return Tree<TMonoid, Two<F16>>(op, x, n);
        if (Vector256.IsHardwareAccelerated) return Tree<TMonoid, Two<F8>>(op, x, n);
        if (Vector128.IsHardwareAccelerated) return Tree<TMonoid, Two<F4>>(op, x, n);
        return Tree<TMonoid, F1>(op, x, n);
    }

    /// <summary>Pairwise over leaves, on a lane of choice.</summary>
    internal static float Tree<TMonoid, L>(TMonoid op, float* x, long n) where TMonoid : struct, IMonoid where L : struct, IVectorLane<L>
    {
        long leaf = LeafLanes * L.Width;
        if (n > leaf)
        {
            long half = (n / 2 + leaf - 1) / leaf * leaf;
            float left = Tree<TMonoid, L>(op, x, half), right = Tree<TMonoid, L>(op, x + half, n - half);
            return op.Combine(new F1(left), new F1(right)).V;
        }
        long rest = n % L.Width, whole = n - rest;
        if (whole == 0) return Rest<TMonoid, L>(op, x, (int)rest);
        float result = Flat<TMonoid, L>(op, x, whole);
        return rest == 0 ? result : op.Combine(new F1(result), new F1(Rest<TMonoid, L>(op, x + whole, (int)rest))).V;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Flat<TMonoid, L>(TMonoid op, float* x, long n) where TMonoid : struct, IMonoid where L : struct, IVectorLane<L>
    {
        // Four accumulators hide the latency of the addition.
        L a = op.Identity<L>(), b = a, c = a, d = a;
        long i = 0;
        for (; i <= n - 4 * L.Width; i += 4 * L.Width)
        {
            a = op.Combine(a, op.Map(L.Load(x + i)));
            b = op.Combine(b, op.Map(L.Load(x + i + L.Width)));
            c = op.Combine(c, op.Map(L.Load(x + i + 2 * L.Width)));
            d = op.Combine(d, op.Map(L.Load(x + i + 3 * L.Width)));
        }
        for (; i < n; i += L.Width) a = op.Combine(a, op.Map(L.Load(x + i)));
        return op.Combine(op.Combine(a, b), op.Combine(c, d)).Fold(op);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Rest<TMonoid, L>(TMonoid op, float* x, int count) where TMonoid : struct, IMonoid where L : struct, IVectorLane<L>
    {
        float* lane = stackalloc float[Tail.MaxWidth];
        Tail.Copy(x, lane, count);
        return Tail.Keep(op, op.Map(L.Load(lane)), count).Fold(op);
    }
}

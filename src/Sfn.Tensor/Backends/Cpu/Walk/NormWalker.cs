using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Backends.Cpu;

/// <summary>Gradients of a norm's weight and bias: sums over rows, in the fixed blocks of <see cref="ColumnReduce"/>.</summary>
internal static unsafe class NormWalker
{
    /// <summary>
    /// dweight[c] = Σ_r dy[r, c] (x[r, c] − mean[r]) rstd[r] and dbias[c] = Σ_r dy[r, c] in one pass over x and dy.
    /// <paramref name="mean"/> is null for an RMS norm, <paramref name="dbias"/> where there is no bias.
    /// </summary>
    public static void WeightGrad(float* x, float* dy, float* mean, float* rstd, float* dweight, float* dbias,
        long rows, long cols, long xRow, long dyRow, bool accumulate)
    {
        long blocks = Math.Max(1, (rows + ColumnReduce.BlockRows - 1) / ColumnReduce.BlockRows);
        float* partials = CpuScratch.Rent(ScratchUse.Partials, 2 * blocks * cols);
        var kernel = new Blocks
        {
            X = x,
            Dy = dy,
            Mean = mean,
            Rstd = rstd,
            Weights = partials,
            Biases = dbias == null ? null : partials + blocks * cols,
            Rows = rows,
            Cols = cols,
            XRow = xRow,
            DyRow = dyRow,
        };
        Chunked.Run(kernel, blocks, Math.Max(1, Chunked.Elements / (ColumnReduce.BlockRows * Math.Max(1, cols))));
        ColumnReduce.Combine(new SumMonoid(), partials, dweight, blocks, cols, accumulate);
        if (dbias != null) ColumnReduce.Combine(new SumMonoid(), partials + blocks * cols, dbias, blocks, cols, accumulate);
    }

    private struct Blocks : IRangeKernel
    {
        public float* X, Dy, Mean, Rstd, Weights, Biases;
        public long Rows, Cols, XRow, DyRow;

        public readonly void Range(long begin, long count)
        {
            for (long block = begin; block < begin + count; block++)
            {
                if (Vector512.IsHardwareAccelerated) Block<Two<F16>>(block);
                else if (Vector256.IsHardwareAccelerated) Block<Two<F8>>(block);
                else if (Vector128.IsHardwareAccelerated) Block<Two<F4>>(block);
                else Block<F1>(block);
            }
        }

        private readonly void Block<L>(long block) where L : struct, IVectorLane<L>
        {
            long top = block * ColumnReduce.BlockRows, rows = Math.Min(ColumnReduce.BlockRows, Rows - top);
            float* weights = Weights + block * Cols, biases = Biases == null ? null : Biases + block * Cols;
            long i = Strip<L>(X + top * XRow, Dy + top * DyRow, Mean == null ? null : Mean + top, Rstd + top, weights, biases, rows, 0, Cols, XRow, DyRow);
            Strip<F1>(X + top * XRow, Dy + top * DyRow, Mean == null ? null : Mean + top, Rstd + top, weights, biases, rows, i, Cols, XRow, DyRow);
        }
    }

    /// <summary>The sums of one block for the columns that fill lanes; returns the first column not done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static long Strip<L>(float* x, float* dy, float* mean, float* rstd, float* weights, float* biases,
        long rows, long i, long cols, long xRow, long dyRow)
        where L : struct, IVectorLane<L>
    {
        for (; i <= cols - L.Width; i += L.Width)
        {
            L weight = L.Of(0f), bias = weight;
            float* xs = x + i, dys = dy + i;
            for (long r = 0; r < rows; r++, xs += xRow, dys += dyRow)
            {
                L g = L.Load(dys), centred = L.Load(xs) - L.Of(mean == null ? 0 : mean[r]);
                weight = L.Fma(g, centred * L.Of(rstd[r]), weight);
                bias += g;
            }
            weight.Store(weights + i);
            if (biases != null) bias.Store(biases + i);
        }
        return i;
    }
}

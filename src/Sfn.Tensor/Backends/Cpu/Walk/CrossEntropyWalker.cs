using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Softmax cross-entropy over rows of logits. One pass finds the maximum and the sum block by block while the block is in L1, and the
/// gradient keeps each block's exponentials in place, so that every logit is exponentiated once and read from memory twice.
/// </summary>
internal static unsafe class CrossEntropyWalker
{
    /// <summary>Logits that share one maximum: 8 KiB, well inside L1.</summary>
    private const int Block = 2048;

    /// <summary>
    /// losses[r] = ln Σ e^logits[r] − logits[r, target], 0 where the target is <paramref name="ignoreIndex"/>. With <paramref name="gradient"/>
    /// also logits[r] := (softmax − onehot)·scale, 0 where ignored.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">A target is neither a class nor <paramref name="ignoreIndex"/>.</exception>
    public static void Run(float* logits, long logitsRow, int* targets, float* losses, long rows, int classes, int ignoreIndex, bool gradient, float scale)
    {
        for (long r = 0; r < rows; r++)
        {
            if ((uint)targets[r] >= (uint)classes && targets[r] != ignoreIndex)
            {
                throw new ArgumentOutOfRangeException(nameof(targets),
                    $"Target {targets[r]} of row {r} is not a class: there are {classes} classes (0 to {classes - 1}), and {ignoreIndex} is ignored. "
                    + "Check the vocabulary of the data.");
            }
        }
        var kernel = new Kernel
        {
            Logits = logits,
            Row = logitsRow,
            Targets = targets,
            Losses = losses,
            Classes = classes,
            Ignore = ignoreIndex,
            Gradient = gradient,
            Scale = scale,
        };
        // Out of cache, lines are fetched beside the exponentials: the row to come, or the next block of a long row.
        bool ahead = gradient && Streaming.Pays(rows * classes);
        if (ahead) kernel.Ahead = classes <= Streaming.LongestAhead ? logitsRow : Block;
        Chunked.Run(kernel, rows, ahead ? Math.Max(1, Streaming.Chunk / classes) : Chunked.Rows(classes));
    }

    private struct Kernel : IRangeKernel
    {
        public float* Logits, Losses;
        public int* Targets;
        public long Row, Ahead;
        public int Classes, Ignore;
        public bool Gradient;
        public float Scale;

        public readonly void Range(long begin, long count)
        {
            for (long r = begin; r < begin + count; r++)
            {
                float* x = Logits + r * Row;
                if (Targets[r] == Ignore)
                {
                    Losses[r] = 0;
                    if (Gradient) new Span<float>(x, Classes).Clear();
                }
                else if (Vector512.IsHardwareAccelerated) Losses[r] = One<Two<F16>, F16x4>(x, Classes, Targets[r], Gradient, Scale, Ahead);
                else if (Vector256.IsHardwareAccelerated) Losses[r] = One<Two<F8>, Two<F8>>(x, Classes, Targets[r], Gradient, Scale, Ahead);
                else if (Vector128.IsHardwareAccelerated) Losses[r] = One<Two<F4>, Two<F4>>(x, Classes, Targets[r], Gradient, Scale, Ahead);
                else Losses[r] = One<F1, F1>(x, Classes, Targets[r], Gradient, Scale, Ahead);
            }
        }
    }

    /// <summary>One row on a lane of choice: its loss, and the gradient in place.</summary>
    internal static float One<L, Q>(float* x, int n, int target, bool gradient, float scale, long ahead)
        where L : struct, IVectorLane<L> where Q : struct, IVectorLane<Q>
    {
        int blocks = (n + Block - 1) / Block;
        float* shifts = CpuScratch.Rent(ScratchUse.Rows, blocks);
        float max = float.NegativeInfinity, sum = 0, atTarget = x[target];
        for (int k = 0; k < blocks; k++)
        {
            float* block = x + (long)k * Block;
            int count = Math.Min(Block, n - k * Block);
            float blockMax = ReduceWalker.Tree<MaxMonoid, L>(new MaxMonoid(), block, count);
            // A block of -inf alone adds nothing; its own maximum as a shift would give inf - inf.
            float shift = blockMax == float.NegativeInfinity ? 0 : blockMax;
            float blockSum = Exponentials<Q>(block, count, shift, gradient, ahead);
            shifts[k] = blockMax;
            // The first block that holds a number sets the scale; NaN goes into the sum by itself.
            if (blockMax == float.NegativeInfinity) continue;
            if (blockMax > max)
            {
                sum = sum * Vec.Exp(max - blockMax) + blockSum;
                max = blockMax;
            }
            else sum += blockSum * Vec.Exp(blockMax - max);
        }
        float logSum = Vec.Log(sum);
        if (gradient)
        {
            for (int k = 0; k < blocks; k++)
                Multiply<L>(x + (long)k * Block, Math.Min(Block, n - k * Block), Vec.Exp(shifts[k] - max) / sum * scale);
            x[target] -= scale;
        }
        // In this order the two large terms cancel before the small one is added.
        return max - atTarget + logSum;
    }

    /// <summary>Σ e^(x − shift), and the terms in place of x.</summary>
    private static float Exponentials<L>(float* x, int n, float shift, bool store, long ahead) where L : struct, IVectorLane<L>
    {
        int rest = n % L.Width;
        float sum = ExponentialsWhole<L>(x, n - rest, shift, store, ahead);
        return rest == 0 ? sum : sum + ExponentialsTail<L>(x + n - rest, rest, shift, store);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float ExponentialsWhole<L>(float* x, int n, float shift, bool store, long ahead) where L : struct, IVectorLane<L>
    {
        L first = L.Of(0f), minus = L.Of(shift);
        for (int i = 0; i < n; i += L.Width)
        {
            L v = L.Exp(L.Load(x + i) - minus);
            if (store) v.Store(x + i);
            first += v;
            if (ahead != 0) Streaming.Fetch<L>(x + i + ahead);
        }
        return first.Fold(new SumMonoid());
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float ExponentialsTail<L>(float* x, int count, float shift, bool store) where L : struct, IVectorLane<L>
    {
        float* lane = stackalloc float[Tail.MaxWidth];
        Tail.Copy(x, lane, count);
        L v = L.Exp(L.Load(lane) - L.Of(shift));
        if (store)
        {
            v.Store(lane);
            Tail.Copy(lane, x, count);
        }
        return Tail.Keep(new SumMonoid(), v, count).Fold(new SumMonoid());
    }

    private static void Multiply<L>(float* x, int n, float factor) where L : struct, IVectorLane<L> => MapWalker.Forward<Scale, L>(new Scale(factor), x, x, n);
}

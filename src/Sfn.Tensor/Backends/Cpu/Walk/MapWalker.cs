using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>Walks contiguous memory with an op of one input, two of the widest vectors at a time.</summary>
internal static unsafe class MapWalker
{
    /// <summary>y = f(x); y may be x.</summary>
    public static void Forward<TOp>(TOp op, float* x, float* y, long n) where TOp : struct, IUnary
    {
        if (x != y && Streaming.Pays(n)) Chunked.Run(new ForwardKernel<TOp, Streamed> { Op = op, X = x, Y = y }, n, Streaming.Chunk);
        else Chunked.Run(new ForwardKernel<TOp, Cached> { Op = op, X = x, Y = y }, n, Chunked.Elements);
    }

    /// <summary>dx = f'(x)·dy, or dx += with <paramref name="accumulate"/>; x or y is null where the op does not keep it; dx may be dy.</summary>
    public static void Backward<TOp>(TOp op, float* x, float* y, float* dy, float* dx, long n, bool accumulate) where TOp : struct, IUnary
    {
        if (x == null) x = dy;
        if (y == null) y = dy;
        if (!accumulate && dx != x && dx != y && dx != dy && Streaming.Pays(n))
            Chunked.Run(new BackwardKernel<TOp, Streamed> { Op = op, X = x, Y = y, Dy = dy, Dx = dx }, n, Streaming.Chunk);
        else
            Chunked.Run(new BackwardKernel<TOp, Cached> { Op = op, X = x, Y = y, Dy = dy, Dx = dx, Accumulate = accumulate }, n, Chunked.Elements);
    }

    private struct ForwardKernel<TOp, TStore> : IRangeKernel where TOp : struct, IUnary where TStore : struct, IStore
    {
        public TOp Op;
        public float* X, Y;

        public readonly void Range(long begin, long count)
        {
            if (Vector512.IsHardwareAccelerated) Forward<TOp, F16x4, TStore>(Op, X + begin, Y + begin, count);
            else if (Vector256.IsHardwareAccelerated) Forward<TOp, Two<F8>, TStore>(Op, X + begin, Y + begin, count);
            else if (Vector128.IsHardwareAccelerated) Forward<TOp, Two<F4>, TStore>(Op, X + begin, Y + begin, count);
            else Forward<TOp, F1, TStore>(Op, X + begin, Y + begin, count);
        }
    }

    private struct BackwardKernel<TOp, TStore> : IRangeKernel where TOp : struct, IUnary where TStore : struct, IStore
    {
        public TOp Op;
        public float* X, Y, Dy, Dx;
        public bool Accumulate;

        public readonly void Range(long begin, long count)
        {
            if (Vector512.IsHardwareAccelerated) Backward<TOp, Two<F16>, TStore>(Op, X + begin, Y + begin, Dy + begin, Dx + begin, count, Accumulate);
            else if (Vector256.IsHardwareAccelerated) Backward<TOp, Two<F8>, TStore>(Op, X + begin, Y + begin, Dy + begin, Dx + begin, count, Accumulate);
            else if (Vector128.IsHardwareAccelerated) Backward<TOp, Two<F4>, TStore>(Op, X + begin, Y + begin, Dy + begin, Dx + begin, count, Accumulate);
            else Backward<TOp, F1, TStore>(Op, X + begin, Y + begin, Dy + begin, Dx + begin, count, Accumulate);
        }
    }

    /// <summary>One range on this thread, on a lane of choice.</summary>
    internal static void Forward<TOp, L>(TOp op, float* x, float* y, long n) where TOp : struct, IUnary where L : struct, IVectorLane<L> =>
        Forward<TOp, L, Cached>(op, x, y, n);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Forward<TOp, L, TStore>(TOp op, float* x, float* y, long n)
        where TOp : struct, IUnary where L : struct, IVectorLane<L> where TStore : struct, IStore
    {
        long i = 0;
        if (TStore.Streams)
        {
            i = Streaming.Head(y, n);
            Forward<TOp, L, Cached>(op, x, y, i);
        }
        for (; i <= n - L.Width; i += L.Width) TStore.Put(op.Forward(L.Load(x + i)), y + i);
        if (i < n) ForwardTail<TOp, L>(op, x + i, y + i, (int)(n - i));
        if (TStore.Streams) Streaming.Fence();
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ForwardTail<TOp, L>(TOp op, float* x, float* y, int count) where TOp : struct, IUnary where L : struct, IVectorLane<L>
    {
        float* lane = stackalloc float[Tail.MaxWidth];
        Tail.Copy(x, lane, count);
        Forward<TOp, L>(op, lane, lane, L.Width);
        Tail.Copy(lane, y, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Backward<TOp, L, TStore>(TOp op, float* x, float* y, float* dy, float* dx, long n, bool accumulate)
        where TOp : struct, IUnary where L : struct, IVectorLane<L> where TStore : struct, IStore
    {
        long i = 0;
        if (TStore.Streams)
        {
            i = Streaming.Head(dx, n);
            Backward<TOp, L, Cached>(op, x, y, dy, dx, i, accumulate);
        }
        for (; i <= n - L.Width; i += L.Width)
        {
            L gradient = op.Backward(L.Load(x + i), L.Load(y + i), L.Load(dy + i));
            if (accumulate) gradient += L.Load(dx + i);
            TStore.Put(gradient, dx + i);
        }
        if (i < n) BackwardTail<TOp, L>(op, x + i, y + i, dy + i, dx + i, (int)(n - i), accumulate);
        if (TStore.Streams) Streaming.Fence();
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void BackwardTail<TOp, L>(TOp op, float* x, float* y, float* dy, float* dx, int count, bool accumulate)
        where TOp : struct, IUnary where L : struct, IVectorLane<L>
    {
        float* lanes = stackalloc float[4 * Tail.MaxWidth];
        float* xs = lanes, ys = xs + Tail.MaxWidth, dys = ys + Tail.MaxWidth, dxs = dys + Tail.MaxWidth;
        Tail.Copy(x, xs, count);
        Tail.Copy(y, ys, count);
        Tail.Copy(dy, dys, count);
        if (accumulate) Tail.Copy(dx, dxs, count);
        Backward<TOp, L, Cached>(op, xs, ys, dys, dxs, L.Width, accumulate);
        Tail.Copy(dxs, dx, count);
    }
}

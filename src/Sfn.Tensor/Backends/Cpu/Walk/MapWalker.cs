using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>Walks contiguous memory with an op of one input, two of the widest vectors at a time.</summary>
internal static unsafe class MapWalker
{
    /// <summary>y = f(x); y may be x.</summary>
    public static void Forward<TOp>(TOp op, float* x, float* y, long n) where TOp : struct, IUnary =>
        Chunked.Run(new ForwardKernel<TOp> { Op = op, X = x, Y = y }, n, Chunked.Elements);

    /// <summary>dx = f'(x)·dy, or dx += with <paramref name="accumulate"/>; x or y is null where the op does not keep it; dx may be dy.</summary>
    public static void Backward<TOp>(TOp op, float* x, float* y, float* dy, float* dx, long n, bool accumulate) where TOp : struct, IUnary =>
        Chunked.Run(
            new BackwardKernel<TOp> { Op = op, X = x == null ? dy : x, Y = y == null ? dy : y, Dy = dy, Dx = dx, Accumulate = accumulate },
            n, Chunked.Elements);

    private struct ForwardKernel<TOp> : IRangeKernel where TOp : struct, IUnary
    {
        public TOp Op;
        public float* X, Y;

        public readonly void Range(long begin, long count)
        {
            if (Vector512.IsHardwareAccelerated) Forward<TOp, Two<F16>>(Op, X + begin, Y + begin, count);
            else if (Vector256.IsHardwareAccelerated) Forward<TOp, Two<F8>>(Op, X + begin, Y + begin, count);
            else if (Vector128.IsHardwareAccelerated) Forward<TOp, Two<F4>>(Op, X + begin, Y + begin, count);
            else Forward<TOp, F1>(Op, X + begin, Y + begin, count);
        }
    }

    private struct BackwardKernel<TOp> : IRangeKernel where TOp : struct, IUnary
    {
        public TOp Op;
        public float* X, Y, Dy, Dx;
        public bool Accumulate;

        public readonly void Range(long begin, long count)
        {
            if (Vector512.IsHardwareAccelerated) Backward<TOp, Two<F16>>(Op, X + begin, Y + begin, Dy + begin, Dx + begin, count, Accumulate);
            else if (Vector256.IsHardwareAccelerated) Backward<TOp, Two<F8>>(Op, X + begin, Y + begin, Dy + begin, Dx + begin, count, Accumulate);
            else if (Vector128.IsHardwareAccelerated) Backward<TOp, Two<F4>>(Op, X + begin, Y + begin, Dy + begin, Dx + begin, count, Accumulate);
            else Backward<TOp, F1>(Op, X + begin, Y + begin, Dy + begin, Dx + begin, count, Accumulate);
        }
    }

    /// <summary>One range on this thread, on a lane of choice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Forward<TOp, L>(TOp op, float* x, float* y, long n) where TOp : struct, IUnary where L : struct, IVectorLane<L>
    {
        long i = 0;
        for (; i <= n - L.Width; i += L.Width) op.Forward(L.Load(x + i)).Store(y + i);
        if (i < n) ForwardTail<TOp, L>(op, x + i, y + i, (int)(n - i));
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

    /// <summary>One range on this thread, on a lane of choice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Backward<TOp, L>(TOp op, float* x, float* y, float* dy, float* dx, long n, bool accumulate)
        where TOp : struct, IUnary where L : struct, IVectorLane<L>
    {
        long i = 0;
        for (; i <= n - L.Width; i += L.Width)
        {
            L gradient = op.Backward(L.Load(x + i), L.Load(y + i), L.Load(dy + i));
            if (accumulate) gradient += L.Load(dx + i);
            gradient.Store(dx + i);
        }
        if (i < n) BackwardTail<TOp, L>(op, x + i, y + i, dy + i, dx + i, (int)(n - i), accumulate);
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
        Backward<TOp, L>(op, xs, ys, dys, dxs, L.Width, accumulate);
        Tail.Copy(dxs, dx, count);
    }
}

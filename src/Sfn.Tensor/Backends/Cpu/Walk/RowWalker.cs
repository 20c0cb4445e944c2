using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>Runs row ops on vector lanes, rows shared among the threads.</summary>
internal static unsafe class RowWalker
{
    /// <summary>Runs <paramref name="op"/> on every row.</summary>
    public static void Run<TRow>(TRow op, in RowArgs args) where TRow : struct, IRow =>
        Chunked.Run(new Kernel<TRow> { Op = op, Args = args }, args.Rows, Chunked.Rows(args.Columns));

    private struct Kernel<TRow> : IRangeKernel where TRow : struct, IRow
    {
        public TRow Op;
        public RowArgs Args;

        public readonly void Range(long begin, long count)
        {
            if (Vector512.IsHardwareAccelerated) Rows<TRow, Two<F16>>(Op, Args, begin, count);
            else if (Vector256.IsHardwareAccelerated) Rows<TRow, Two<F8>>(Op, Args, begin, count);
            else if (Vector128.IsHardwareAccelerated) Rows<TRow, Two<F4>>(Op, Args, begin, count);
            else Rows<TRow, F1>(Op, Args, begin, count);
        }
    }

    /// <summary>A range of rows on this thread, on a lane of choice.</summary>
    internal static void Rows<TRow, L>(TRow op, in RowArgs args, long begin, long count) where TRow : struct, IRow where L : struct, IVectorLane<L>
    {
        // One row struct that moves on: building one per row costs as much as a pass over 256 columns.
        var row = new CpuRow<L>();
        for (long r = begin; r < begin + count; r++)
        {
            row.MoveTo(args, r);
            op.Run(ref row);
        }
    }
}

/// <summary>One column of a row on the CPU, <typeparamref name="L"/>'s width at once.</summary>
internal readonly unsafe struct CpuRowAt<L>(float* a, float* b, float* c, float* d, float* y, long i) : IRowAt<L> where L : struct, IVectorLane<L>
{
    public L A
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => L.Load(a + i);
    }

    public L B
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => L.Load(b + i);
    }

    public L C
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => L.Load(c + i);
    }

    public L D
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => L.Load(d + i);
    }

    public L Y
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => L.Load(y + i);
    }
}

/// <summary>One row on the CPU: every pass is a loop of vectors with two accumulators.</summary>
internal unsafe struct CpuRow<L> : IRowWalker where L : struct, IVectorLane<L>
{
    private float* _a, _b, _c, _d, _y, _scalar0, _scalar1, _kept0, _kept1;
    private int _length;

    public void MoveTo(in RowArgs args, long row)
    {
        _a = args.A == null ? null : args.A + row * args.ARow;
        _b = args.B == null ? null : args.B + row * args.BRow;
        _c = args.C == null ? null : args.C + row * args.CRow;
        _d = args.D == null ? null : args.D + row * args.DRow;
        _y = args.Y == null ? null : args.Y + row * args.YRow;
        _scalar0 = args.Scalar0 + row;
        _scalar1 = args.Scalar1 + row;
        _kept0 = args.Kept0 == null ? null : args.Kept0 + row;
        _kept1 = args.Kept1 == null ? null : args.Kept1 + row;
        _length = args.Columns;
    }

    public readonly int Length => _length;

    public readonly float Scalar(int index) => index == 0 ? *_scalar0 : *_scalar1;

    public readonly void StoreScalar(int index, float value)
    {
        float* kept = index == 0 ? _kept0 : _kept1;
        if (kept != null) *kept = value;
    }

    public readonly float Sqrt(float x) => MathF.Sqrt(x);

    public readonly float Log(float x) => Vec.Log(x);

    public readonly float Reduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody =>
        Reduce(monoid, body, store: false);

    public readonly float StoreReduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody =>
        Reduce(monoid, body, store: true);

    public readonly void Store<TBody>(TBody body) where TBody : struct, IRowBody
    {
        int rest = _length & (L.Width - 1);
        StoreWhole(body, _length - rest);
        if (rest != 0) StoreTail(body, _length - rest, rest);
    }

    private readonly float Reduce<TMonoid, TBody>(TMonoid monoid, in TBody body, bool store) where TMonoid : struct, IMonoid where TBody : struct, IRowBody
    {
        int rest = _length & (L.Width - 1), whole = _length - rest;
        if (whole == 0) return ReduceTail(monoid, body, 0, rest, store);
        float result = ReduceWhole(monoid, body, whole, store);
        return rest == 0 ? result : monoid.Combine(new F1(result), new F1(ReduceTail(monoid, body, whole, rest, store))).V;
    }

    // Loops and tails are methods apart: a call in the loop's method would keep its accumulators on the stack. Bodies come by reference and
    // are copied, which puts each of their scalars into a register of its own.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private readonly float ReduceWhole<TMonoid, TBody>(TMonoid monoid, in TBody bodyRef, long n, bool store)
        where TMonoid : struct, IMonoid where TBody : struct, IRowBody
    {
        var body = bodyRef;
        float* a = _a, b = _b, c = _c, d = _d, y = _y;
        L first = monoid.Identity<L>(), second = first;
        long i = 0;
        for (; i <= n - 2 * L.Width; i += 2 * L.Width)
        {
            L v = body.At<L, CpuRowAt<L>>(new(a, b, c, d, y, i)), w = body.At<L, CpuRowAt<L>>(new(a, b, c, d, y, i + L.Width));
            if (store)
            {
                v.Store(y + i);
                w.Store(y + i + L.Width);
            }
            first = monoid.Combine(first, monoid.Map(v));
            second = monoid.Combine(second, monoid.Map(w));
        }
        if (i < n)
        {
            L v = body.At<L, CpuRowAt<L>>(new(a, b, c, d, y, i));
            if (store) v.Store(y + i);
            first = monoid.Combine(first, monoid.Map(v));
        }
        return monoid.Combine(first, second).Fold(monoid);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private readonly float ReduceTail<TMonoid, TBody>(TMonoid monoid, in TBody body, long i, int count, bool store)
        where TMonoid : struct, IMonoid where TBody : struct, IRowBody
    {
        float* lanes = stackalloc float[5 * Tail.MaxWidth];
        L v = body.At<L, CpuRowAt<L>>(Rest(lanes, i, count));
        if (store)
        {
            v.Store(lanes);
            Tail.Copy(lanes, _y + i, count);
        }
        return Tail.Keep(monoid, monoid.Map(v), count).Fold(monoid);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private readonly void StoreWhole<TBody>(in TBody bodyRef, long n) where TBody : struct, IRowBody
    {
        var body = bodyRef;
        float* a = _a, b = _b, c = _c, d = _d, y = _y;
        for (long i = 0; i < n; i += L.Width) body.At<L, CpuRowAt<L>>(new(a, b, c, d, y, i)).Store(y + i);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private readonly void StoreTail<TBody>(in TBody body, long i, int count) where TBody : struct, IRowBody
    {
        float* lanes = stackalloc float[5 * Tail.MaxWidth];
        body.At<L, CpuRowAt<L>>(Rest(lanes, i, count)).Store(lanes);
        Tail.Copy(lanes, _y + i, count);
    }

    /// <summary>Copies <paramref name="count"/> columns of every input, so that a whole lane can be read.</summary>
    private readonly CpuRowAt<L> Rest(float* lanes, long i, int count)
    {
        const int Step = Tail.MaxWidth;
        if (_a != null) Tail.Copy(_a + i, lanes, count);
        if (_b != null) Tail.Copy(_b + i, lanes + Step, count);
        if (_c != null) Tail.Copy(_c + i, lanes + 2 * Step, count);
        if (_d != null) Tail.Copy(_d + i, lanes + 3 * Step, count);
        if (_y != null) Tail.Copy(_y + i, lanes + 4 * Step, count);
        return new(lanes, lanes + Step, lanes + 2 * Step, lanes + 3 * Step, lanes + 4 * Step, 0);
    }
}

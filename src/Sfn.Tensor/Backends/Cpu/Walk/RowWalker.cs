using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>Runs row ops on vector lanes, rows shared among the threads.</summary>
internal static unsafe class RowWalker
{
    /// <summary>Runs <paramref name="op"/> on every row.</summary>
    public static void Run<TRow>(TRow op, in RowArgs args) where TRow : struct, IRow
    {
        bool reads = args.Y == args.A || args.Y == args.B || args.Y == args.C || args.Y == args.D;
        if (!reads && Streaming.Pays(args.Rows * args.Columns, args.Columns))
            Chunked.Run(new Kernel<TRow, Streamed> { Op = op, Args = args }, args.Rows, Math.Max(1, Streaming.Chunk / args.Columns));
        else Chunked.Run(new Kernel<TRow, Cached> { Op = op, Args = args }, args.Rows, Chunked.Rows(args.Columns));
    }

    private struct Kernel<TRow, TStore> : IRangeKernel where TRow : struct, IRow where TStore : struct, IStore
    {
        public TRow Op;
        public RowArgs Args;

        public readonly void Range(long begin, long count)
        {
            if (Vector512.IsHardwareAccelerated) Rows<TRow, Two<F16>, F16x4, TStore>(Op, Args, begin, count);
            else if (Vector256.IsHardwareAccelerated) Rows<TRow, Two<F8>, Two<F8>, TStore>(Op, Args, begin, count);
            else if (Vector128.IsHardwareAccelerated) Rows<TRow, Two<F4>, Two<F4>, TStore>(Op, Args, begin, count);
            else Rows<TRow, F1, F1, TStore>(Op, Args, begin, count);
        }
    }

    /// <summary>A range of rows on this thread, on a lane of choice.</summary>
    internal static void Rows<TRow, L>(TRow op, in RowArgs args, long begin, long count) where TRow : struct, IRow where L : struct, IVectorLane<L> =>
        Rows<TRow, L, L, Cached>(op, args, begin, count);

    private static void Rows<TRow, L, Q, TStore>(TRow op, in RowArgs args, long begin, long count)
        where TRow : struct, IRow where L : struct, IVectorLane<L> where Q : struct, IVectorLane<Q> where TStore : struct, IStore
    {
        // One row struct that moves on: building one per row costs as much as a pass over 256 columns.
        var row = new CpuRow<L, Q, TStore>();
        for (long r = begin; r < begin + count; r++)
        {
            row.MoveTo(args, r, r == begin, r == begin + count - 1);
            op.Run(ref row);
        }
        row.Finish();
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

/// <summary>
/// One row on the CPU: every pass is a loop of vectors with several accumulators. Where the result is streamed, a row is computed into a work
/// row in the cache, and while it is, the finished row before it goes to memory and the one after it is fetched, line by line: a core can
/// hold only few lines on their way, so a pass of nothing but stores, or of nothing but arithmetic, would waste the bandwidth.
/// </summary>
/// <typeparam name="L">The lane.</typeparam>
/// <typeparam name="Q">A lane twice as wide for the long reductions, or the same one.</typeparam>
/// <typeparam name="TStore">How the result is written.</typeparam>
internal unsafe struct CpuRow<L, Q, TStore> : IRowWalker
    where L : struct, IVectorLane<L> where Q : struct, IVectorLane<Q> where TStore : struct, IStore
{
    private float* _a, _b, _c, _d, _y, _scalar0, _scalar1, _kept0, _kept1;
    private int _length;
    private RowMover _mover;

    public void MoveTo(in RowArgs args, long row, bool first, bool last)
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
        if (!TStore.Streams) return;
        float* other = args.BRow != 0 ? _b + args.BRow : args.CRow != 0 ? _c + args.CRow : null;
        _y = _mover.Begin(_y, _length, first, last ? null : _a + args.ARow, last ? null : other);
    }

    public void Finish()
    {
        if (TStore.Streams) _mover.Finish();
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

    public float Reduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody =>
        Reduce<TMonoid, TBody, Not>(monoid, body);

    public float StoreReduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody =>
        Reduce<TMonoid, TBody, Also>(monoid, body);

    public void Store<TBody>(TBody body) where TBody : struct, IRowBody
    {
        int rest = _length & (L.Width - 1);
        StoreWhole(body, _length - rest);
        if (rest != 0) StoreTail(body, _length - rest, rest);
    }

    [SkipLocalsInit]
    private float Reduce<TMonoid, TBody, TAlso>(TMonoid monoid, in TBody body)
        where TMonoid : struct, IMonoid where TBody : struct, IRowBody where TAlso : struct, IAlso
    {
        int rest = _length & (L.Width - 1), whole = _length - rest;
        if (whole == 0) return ReduceTail(monoid, body, 0, rest, TAlso.Stores);
        float* sums = stackalloc float[2 * Tail.MaxWidth];
        long done = Q.Width == 2 * L.Width ? ReduceWide<TMonoid, TBody, TAlso>(monoid, body, whole, sums)
            : ReduceTwo<TMonoid, TBody, TAlso>(monoid, body, whole, sums);
        float result = Finish<TMonoid, TBody, TAlso>(monoid, body, sums, done, whole);
        return rest == 0 ? result : monoid.Combine(new F1(result), new F1(ReduceTail(monoid, body, whole, rest, TAlso.Stores))).V;
    }

    /// <summary>Whether a reduction stores what it reduces: a type, so that each has a loop of its own.</summary>
    private interface IAlso
    {
        static abstract bool Stores { get; }
    }

    private readonly struct Not : IAlso
    {
        public static bool Stores => false;
    }

    private readonly struct Also : IAlso
    {
        public static bool Stores => true;
    }

    // Loops and tails are methods apart: a call in the loop's method would keep its accumulators on the stack, and what the JIT drops later (a
    // loop for another lane) would use up its room for constants in registers. Bodies come by reference and
    // are copied, which puts each of their scalars into a register of its own.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private long ReduceWide<TMonoid, TBody, TAlso>(TMonoid monoid, in TBody bodyRef, long n, float* sums)
        where TMonoid : struct, IMonoid where TBody : struct, IRowBody where TAlso : struct, IAlso
    {
        long i = 0;
        var body = bodyRef;
        float* a = _a, b = _b, c = _c, d = _d, y = _y;
        var mover = _mover;
        bool even = !mover.Uneven;
        Q sum = monoid.Identity<Q>();
        for (; i <= n - Q.Width; i += Q.Width)
        {
            Q v = body.At<Q, CpuRowAt<Q>>(new(a, b, c, d, y, i));
            if (TAlso.Stores) v.Store(y + i);
            sum = monoid.Combine(sum, monoid.Map(v));
            if (TStore.Streams && TAlso.Stores)
            {
                mover.Move();
                mover.Move();
            }
            else if (TStore.Streams && even) mover.Move();
        }
        sum.Store(sums);
        if (TStore.Streams) _mover = mover;
        if (TStore.Streams && TAlso.Stores) _mover.Uneven = true;
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private long ReduceTwo<TMonoid, TBody, TAlso>(TMonoid monoid, in TBody bodyRef, long n, float* sums)
        where TMonoid : struct, IMonoid where TBody : struct, IRowBody where TAlso : struct, IAlso
    {
        long i = 0;
        var body = bodyRef;
        float* a = _a, b = _b, c = _c, d = _d, y = _y;
        var mover = _mover;
        L first = monoid.Identity<L>(), second = first;
        for (; i <= n - 2 * L.Width; i += 2 * L.Width)
        {
            L v = body.At<L, CpuRowAt<L>>(new(a, b, c, d, y, i)), w = body.At<L, CpuRowAt<L>>(new(a, b, c, d, y, i + L.Width));
            if (TAlso.Stores)
            {
                v.Store(y + i);
                w.Store(y + i + L.Width);
            }
            first = monoid.Combine(first, monoid.Map(v));
            second = monoid.Combine(second, monoid.Map(w));
            if (TStore.Streams) mover.Move();
        }
        first.Store(sums);
        second.Store(sums + L.Width);
        if (TStore.Streams) _mover = mover;
        return i;
    }

    // At most one lane that is left, and the accumulators combined.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private readonly float Finish<TMonoid, TBody, TAlso>(TMonoid monoid, in TBody body, float* sums, long i, long n)
        where TMonoid : struct, IMonoid where TBody : struct, IRowBody where TAlso : struct, IAlso
    {
        L first = L.Load(sums), second = L.Load(sums + L.Width);
        if (i < n)
        {
            L v = body.At<L, CpuRowAt<L>>(new(_a, _b, _c, _d, _y, i));
            if (TAlso.Stores) v.Store(_y + i);
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
    private void StoreWhole<TBody>(in TBody bodyRef, long n) where TBody : struct, IRowBody
    {
        var body = bodyRef;
        float* a = _a, b = _b, c = _c, d = _d, y = _y;
        var mover = _mover;
        for (long i = 0; i < n; i += L.Width)
        {
            body.At<L, CpuRowAt<L>>(new(a, b, c, d, y, i)).Store(y + i);
            if (TStore.Streams) mover.Move();
        }
        if (TStore.Streams) _mover = mover;
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

using System.Runtime.CompilerServices;
using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Four values of a row in a thread's registers.</summary>
internal struct Four
{
    public G1 A, B, C, D;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Four Of(G1 a, G1 b, G1 c, G1 d) => new() { A = a, B = b, C = c, D = d };
}

/// <summary>Which four columns of a row a thread's slot holds, and how they are read and written.</summary>
internal interface IRowAccess
{
    static abstract string Name { get; }

    /// <summary>Column of value number <paramref name="j"/>; quads are valid as a whole, so that theirs is the column of the first.</summary>
    static abstract int Column(int lane, int lanes, int slot, int j);

    /// <summary>Column of value number <paramref name="j"/> of the first slot.</summary>
    static abstract int Exact(int lane, int lanes, int j);

    /// <summary>The values; zeros from <paramref name="columns"/> on. <paramref name="row"/> is the row's first element.</summary>
    static abstract Four Load<S, Q>(ArrayView<S> x, long row, int lane, int lanes, int slot, int columns)
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>;

    static abstract void Store<S, Q>(ArrayView<S> x, long row, int lane, int lanes, int slot, int columns, in Four v)
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>;
}

/// <summary>Neighbouring columns by one instruction: rows begin at multiples of four elements and have a multiple of four columns.</summary>
internal readonly struct ByQuads : IRowAccess
{
    public static string Name => "x4";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Column(int lane, int lanes, int slot, int j) => (lane + slot * lanes) * 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Exact(int lane, int lanes, int j) => lane * 4 + j;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Four Load<S, Q>(ArrayView<S> x, long row, int lane, int lanes, int slot, int columns)
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        int i = lane + slot * lanes;
        if (i * 4 >= columns) return default;
        Q q = x.Cast<Q>()[(row >> 2) + i];
        return Four.Of(Q.A(q), Q.B(q), Q.C(q), Q.D(q));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, Q>(ArrayView<S> x, long row, int lane, int lanes, int slot, int columns, in Four v)
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        int i = lane + slot * lanes;
        if (i * 4 < columns) x.Cast<Q>()[(row >> 2) + i] = Q.Of(v.A, v.B, v.C, v.D);
    }
}

/// <summary>Single elements, neighbours by neighbouring threads: any row.</summary>
internal readonly struct ByOnes : IRowAccess
{
    public static string Name => "";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Column(int lane, int lanes, int slot, int j) => lane + (slot * 4 + j) * lanes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Exact(int lane, int lanes, int j) => lane + j * lanes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Four Load<S, Q>(ArrayView<S> x, long row, int lane, int lanes, int slot, int columns)
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> =>
        Four.Of(One(x, row + lane, lane, lanes, slot, 0, columns), One(x, row + lane, lane, lanes, slot, 1, columns),
            One(x, row + lane, lane, lanes, slot, 2, columns), One(x, row + lane, lane, lanes, slot, 3, columns));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, Q>(ArrayView<S> x, long row, int lane, int lanes, int slot, int columns, in Four v)
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        long first = row + lane;
        if (Column(lane, lanes, slot, 0) < columns) x[first + slot * 4 * lanes] = S.Store(v.A);
        if (Column(lane, lanes, slot, 1) < columns) x[first + (slot * 4 + 1) * lanes] = S.Store(v.B);
        if (Column(lane, lanes, slot, 2) < columns) x[first + (slot * 4 + 2) * lanes] = S.Store(v.C);
        if (Column(lane, lanes, slot, 3) < columns) x[first + (slot * 4 + 3) * lanes] = S.Store(v.D);
    }

    // The distance to the thread's first element is a constant where the slot is one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static G1 One<S>(ArrayView<S> x, long first, int lane, int lanes, int slot, int j, int columns) where S : unmanaged, IElement<S> =>
        Column(lane, lanes, slot, j) < columns ? S.Load(x[first + (slot * 4 + j) * lanes]) : default;
}

using System.Runtime.CompilerServices;
using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// A row that its threads hold in registers, up to four quads of each input per thread: memory is read once, however many passes an op makes. Inputs that
/// an op does not use cost nothing, because compilers drop loads that nobody reads.
/// </summary>
internal struct RegisterRow<TShape, TAccess> : IRowWalker where TShape : struct, IRowShape where TAccess : struct, IRowAccess
{
    public Four A0, A1, A2, A3, B0, B1, B2, B3, C0, C1, C2, C3, D0, D1, D2, D3, Y0, Y1, Y2, Y3;
    public ArrayView<float> All, Few;
    public RowScalars Scalars;
    public int Columns, Lane, Active;

    /// <summary>Whether there is something to write.</summary>
    public bool Stored;

    public readonly int Length
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Columns;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Reduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody
    {
        G1 sum = Take(monoid, monoid.Identity<G1>(), 0, Slot.Each(body, A0, B0, C0, D0, Y0));
        if (TShape.Slots > 1) sum = Take(monoid, sum, 1, Slot.Each(body, A1, B1, C1, D1, Y1));
        if (TShape.Slots > 2) sum = Take(monoid, sum, 2, Slot.Each(body, A2, B2, C2, D2, Y2));
        if (TShape.Slots > 3) sum = Take(monoid, sum, 3, Slot.Each(body, A3, B3, C3, D3, Y3));
        return Tree.Combine<TMonoid, TShape>(monoid, sum, All, Few).V;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float StoreReduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody
    {
        Store(body);
        G1 sum = Take(monoid, monoid.Identity<G1>(), 0, Y0);
        if (TShape.Slots > 1) sum = Take(monoid, sum, 1, Y1);
        if (TShape.Slots > 2) sum = Take(monoid, sum, 2, Y2);
        if (TShape.Slots > 3) sum = Take(monoid, sum, 3, Y3);
        return Tree.Combine<TMonoid, TShape>(monoid, sum, All, Few).V;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store<TBody>(TBody body) where TBody : struct, IRowBody
    {
        Y0 = Slot.Each(body, A0, B0, C0, D0, Y0);
        if (TShape.Slots > 1) Y1 = Slot.Each(body, A1, B1, C1, D1, Y1);
        if (TShape.Slots > 2) Y2 = Slot.Each(body, A2, B2, C2, D2, Y2);
        if (TShape.Slots > 3) Y3 = Slot.Each(body, A3, B3, C3, D3, Y3);
        Stored = true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Scalar(int index) => Scalars.Load(index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void StoreScalar(int index, float value) => Scalars.Store(index, value, Active > 0 && Lane == 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Sqrt(float x) => G1.Sqrt(new(x)).V;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Log(float x) => G1.Log(new(x)).V;

    // Active is the number of columns, or 0 for the threads behind the last row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly G1 Take<TMonoid>(TMonoid monoid, G1 sum, int slot, in Four v) where TMonoid : struct, IMonoid =>
        Slot.Combine<TMonoid, TAccess>(monoid, sum, v, Lane, TShape.Lanes, slot, Active);
}

/// <summary>The scalars of a row: two vectors, read or written.</summary>
internal struct RowScalars
{
    public ArrayView<F32> First, Second;
    public int Row, KeepsFirst, KeepsSecond;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Load(int index) => index == 0 ? First[Row].V : Second[Row].V;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(int index, float value, bool here)
    {
        if (!here) return;
        if (index == 0 && KeepsFirst != 0) First[Row] = new F32(value);
        if (index != 0 && KeepsSecond != 0) Second[Row] = new F32(value);
    }
}

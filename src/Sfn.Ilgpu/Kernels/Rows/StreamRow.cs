using System.Runtime.CompilerServices;
using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>A row of any length: every pass reads it from memory, or from the cache that the pass before has filled.</summary>
internal struct StreamRow<TShape, TAccess, X, XQ, B, BQ, C, CQ> : IRowWalker
    where TShape : struct, IRowShape where TAccess : struct, IRowAccess
    where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X>
    where B : unmanaged, IElement<B> where BQ : unmanaged, IQuad<BQ, B>
    where C : unmanaged, IElement<C> where CQ : unmanaged, IQuad<CQ, C>
{
    public ArrayView<X> AView, DView, YView;
    public ArrayView<B> BView;
    public ArrayView<C> CView;
    public long ARow, BRow, CRow, DRow, YRow;
    public ArrayView<float> All, Few;
    public RowScalars Scalars;
    public int Columns, Lane;

    public readonly int Length
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Columns;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Reduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody
    {
        G1 sum = monoid.Identity<G1>();
        for (int slot = 0; slot * TShape.Lanes * 4 < Columns; slot++)
            sum = Slot.Combine<TMonoid, TAccess>(monoid, sum, At(body, slot), Lane, TShape.Lanes, slot, Columns);
        return Tree.Combine<TMonoid, TShape>(monoid, sum, All, Few).V;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float StoreReduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody
    {
        G1 sum = monoid.Identity<G1>();
        for (int slot = 0; slot * TShape.Lanes * 4 < Columns; slot++)
        {
            var v = At(body, slot);
            TAccess.Store<X, XQ>(YView, YRow, Lane, TShape.Lanes, slot, Columns, v);
            sum = Slot.Combine<TMonoid, TAccess>(monoid, sum, v, Lane, TShape.Lanes, slot, Columns);
        }
        return Tree.Combine<TMonoid, TShape>(monoid, sum, All, Few).V;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store<TBody>(TBody body) where TBody : struct, IRowBody
    {
        for (int slot = 0; slot * TShape.Lanes * 4 < Columns; slot++)
            TAccess.Store<X, XQ>(YView, YRow, Lane, TShape.Lanes, slot, Columns, At(body, slot));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Scalar(int index) => Scalars.Load(index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void StoreScalar(int index, float value) => Scalars.Store(index, value, Lane == 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Sqrt(float x) => G1.Sqrt(new(x)).V;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Log(float x) => G1.Log(new(x)).V;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly Four At<TBody>(TBody body, int slot) where TBody : struct, IRowBody => Slot.Each(body,
        TAccess.Load<X, XQ>(AView, ARow, Lane, TShape.Lanes, slot, Columns), TAccess.Load<B, BQ>(BView, BRow, Lane, TShape.Lanes, slot, Columns),
        TAccess.Load<C, CQ>(CView, CRow, Lane, TShape.Lanes, slot, Columns), TAccess.Load<X, XQ>(DView, DRow, Lane, TShape.Lanes, slot, Columns),
        TAccess.Load<X, XQ>(YView, YRow, Lane, TShape.Lanes, slot, Columns));
}

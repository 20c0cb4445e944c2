using System.Runtime.CompilerServices;
using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Row strides of a row op's operands in elements, and what else is the same for all rows.</summary>
internal struct RowSteps
{
    public long A, B, C, D, Y;
    public int Rows, Columns, KeepsFirst, KeepsSecond;
}

/// <summary>A row op on rows that fit into the registers of their threads.</summary>
internal readonly struct RowInRegisters<TRow, TShape, TAccess, X, XQ, B, BQ, C, CQ> : IKernel
    where TRow : struct, IRow where TShape : struct, IRowShape where TAccess : struct, IRowAccess
    where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X>
    where B : unmanaged, IElement<B> where BQ : unmanaged, IQuad<BQ, B>
    where C : unmanaged, IElement<C> where CQ : unmanaged, IQuad<CQ, C>
{
    public static string Name => RowName.Of<TRow>($"{X.Name}_{B.Name}_{C.Name}{TAccess.Name}_{TShape.Lanes}lanes");

    public static bool IsLaunched => RowName.IsLaunched<TRow, X, B, C>();

    public static Delegate Body =>
        (Action<TRow, RowSteps, ArrayView<X>, ArrayView<B>, ArrayView<C>, ArrayView<X>, ArrayView<X>, ArrayView<F32>, ArrayView<F32>>)Run;

    public static KernelSpecialization Bounds => new(TShape.Threads, null);

    private static void Run(TRow op, RowSteps steps, ArrayView<X> a, ArrayView<B> b, ArrayView<C> c, ArrayView<X> d, ArrayView<X> y,
        ArrayView<F32> first, ArrayView<F32> second)
    {
        int lane = Group.IdxX & TShape.Lanes - 1, number = Grid.IdxX * (TShape.Threads / TShape.Lanes) + Group.IdxX / TShape.Lanes;
        // Threads behind the last row take part in the barriers and do nothing else.
        int active = number < steps.Rows ? steps.Columns : 0, r = number < steps.Rows ? number : 0;
        var row = new RegisterRow<TShape, TAccess>
        {
            All = SharedMemory.Allocate<float>(TShape.Threads),
            Few = SharedMemory.Allocate<float>(TShape.Threads / TShape.Lanes * TShape.Fan),
            Scalars = new() { First = first, Second = second, Row = r, KeepsFirst = steps.KeepsFirst, KeepsSecond = steps.KeepsSecond },
            Columns = steps.Columns,
            Lane = lane,
            Active = active,
        };
        long ar = r * steps.A, br = r * steps.B, cr = r * steps.C, dr = r * steps.D, yr = r * steps.Y;
        row.A0 = TAccess.Load<X, XQ>(a, ar, lane, TShape.Lanes, 0, active);
        row.B0 = TAccess.Load<B, BQ>(b, br, lane, TShape.Lanes, 0, active);
        row.C0 = TAccess.Load<C, CQ>(c, cr, lane, TShape.Lanes, 0, active);
        row.D0 = TAccess.Load<X, XQ>(d, dr, lane, TShape.Lanes, 0, active);
        if (TShape.Slots > 1)
        {
            row.A1 = TAccess.Load<X, XQ>(a, ar, lane, TShape.Lanes, 1, active);
            row.B1 = TAccess.Load<B, BQ>(b, br, lane, TShape.Lanes, 1, active);
            row.C1 = TAccess.Load<C, CQ>(c, cr, lane, TShape.Lanes, 1, active);
            row.D1 = TAccess.Load<X, XQ>(d, dr, lane, TShape.Lanes, 1, active);
        }
        if (TShape.Slots > 2)
        {
            row.A2 = TAccess.Load<X, XQ>(a, ar, lane, TShape.Lanes, 2, active);
            row.B2 = TAccess.Load<B, BQ>(b, br, lane, TShape.Lanes, 2, active);
            row.C2 = TAccess.Load<C, CQ>(c, cr, lane, TShape.Lanes, 2, active);
            row.D2 = TAccess.Load<X, XQ>(d, dr, lane, TShape.Lanes, 2, active);
        }
        if (TShape.Slots > 3)
        {
            row.A3 = TAccess.Load<X, XQ>(a, ar, lane, TShape.Lanes, 3, active);
            row.B3 = TAccess.Load<B, BQ>(b, br, lane, TShape.Lanes, 3, active);
            row.C3 = TAccess.Load<C, CQ>(c, cr, lane, TShape.Lanes, 3, active);
            row.D3 = TAccess.Load<X, XQ>(d, dr, lane, TShape.Lanes, 3, active);
        }
        op.Run(ref row);
        if (!row.Stored) return;
        TAccess.Store<X, XQ>(y, yr, lane, TShape.Lanes, 0, active, row.Y0);
        if (TShape.Slots > 1) TAccess.Store<X, XQ>(y, yr, lane, TShape.Lanes, 1, active, row.Y1);
        if (TShape.Slots > 2) TAccess.Store<X, XQ>(y, yr, lane, TShape.Lanes, 2, active, row.Y2);
        if (TShape.Slots > 3) TAccess.Store<X, XQ>(y, yr, lane, TShape.Lanes, 3, active, row.Y3);
    }
}

/// <summary>A row op on rows of any length, one group a row.</summary>
internal readonly struct RowInPasses<TRow, TShape, TAccess, X, XQ, B, BQ, C, CQ> : IKernel
    where TRow : struct, IRow where TShape : struct, IRowShape where TAccess : struct, IRowAccess
    where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X>
    where B : unmanaged, IElement<B> where BQ : unmanaged, IQuad<BQ, B>
    where C : unmanaged, IElement<C> where CQ : unmanaged, IQuad<CQ, C>
{
    public static string Name => RowName.Of<TRow>($"{X.Name}_{B.Name}_{C.Name}{TAccess.Name}_long");

    public static bool IsLaunched => typeof(TShape) == typeof(Lanes512) && RowName.IsLaunched<TRow, X, B, C>();

    public static Delegate Body =>
        (Action<TRow, RowSteps, ArrayView<X>, ArrayView<B>, ArrayView<C>, ArrayView<X>, ArrayView<X>, ArrayView<F32>, ArrayView<F32>>)Run;

    public static KernelSpecialization Bounds => new(TShape.Threads, null);

    private static void Run(TRow op, RowSteps steps, ArrayView<X> a, ArrayView<B> b, ArrayView<C> c, ArrayView<X> d, ArrayView<X> y,
        ArrayView<F32> first, ArrayView<F32> second)
    {
        int r = Grid.IdxX;
        var row = new StreamRow<TShape, TAccess, X, XQ, B, BQ, C, CQ>
        {
            AView = a,
            BView = b,
            CView = c,
            DView = d,
            YView = y,
            ARow = r * steps.A,
            BRow = r * steps.B,
            CRow = r * steps.C,
            DRow = r * steps.D,
            YRow = r * steps.Y,
            All = SharedMemory.Allocate<float>(TShape.Threads),
            Few = SharedMemory.Allocate<float>(TShape.Threads / TShape.Lanes * TShape.Fan),
            Scalars = new() { First = first, Second = second, Row = r, KeepsFirst = steps.KeepsFirst, KeepsSecond = steps.KeepsSecond },
            Columns = steps.Columns,
            Lane = Group.IdxX,
        };
        op.Run(ref row);
    }
}

internal static class RowName
{
    /// <summary>The op with its type arguments: an op with a weight is another kernel than one without.</summary>
    public static string Of<TRow>(string rest) where TRow : struct, IRow =>
        $"{TRow.Name}_{string.Concat(typeof(TRow).GenericTypeArguments.Select(t => t.Name.ToLowerInvariant() + "_"))}{rest}";

    /// <summary>Norms read a weight and perhaps a bias in float32; everything else has the type of the first input. No op is without a weight.</summary>
    public static bool IsLaunched<TRow, X, B, C>() where TRow : struct, IRow
    {
        var affine = typeof(TRow).GenericTypeArguments;
        if (affine.Length == 0) return typeof(B) == typeof(X) && typeof(C) == typeof(X);
        return affine[0] != typeof(Ops.Rows.NoAffine) && typeof(B) == typeof(F32) && (typeof(C) == typeof(F32) || typeof(C) == typeof(X));
    }
}

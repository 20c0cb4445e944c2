using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class FusedIlgpuBackend : IRowKernels
{
    /// <summary>Columns up to which a row stays in the registers of its threads.</summary>
    internal const int LongestInRegisters = 8192;

    bool IRowKernels.Takes(DType activations) => activations is DType.F32 or DType.BF16;

    public void Rows<TRow>(TRow op, in RowViews views) where TRow : struct, IRow
    {
        if (views.A.Count == 0) return;
        // The scalars are float32, the first input, the fourth and the output of one type.
        if (views.Y is { } y && y.DType != views.A.DType)
        {
            using var same = new Temporary(this, y.Shape, views.A.DType);
            Rows(op, views with { Y = same.View });
            Copy(same.View, y);
            return;
        }
        if (views.D is { } d && d.DType != views.A.DType)
        {
            using var same = new Temporary(this, d.Shape, views.A.DType);
            Copy(d, same.View);
            Rows(op, views with { D = same.View });
            return;
        }
        if (views.Scalar0 is { DType: not DType.F32 } first)
        {
            using var wide = new Temporary(this, first.Shape, DType.F32);
            Copy(first, wide.View);
            Rows(op, views with { Scalar0 = wide.View });
            Copy(wide.View, first);
            return;
        }
        if (views.Scalar1 is { DType: not DType.F32 } second)
        {
            using var wide = new Temporary(this, second.Shape, DType.F32);
            Copy(second, wide.View);
            Rows(op, views with { Scalar1 = wide.View });
            Copy(wide.View, second);
            return;
        }
        switch (views.A.DType)
        {
            case DType.F32: RowsOfA<TRow, F32, F32x4>(op, views); break;
            case DType.BF16: RowsOfA<TRow, Bf16, Bf16x4>(op, views); break;
            default: throw new DTypeMismatch($"{TRow.Name} of {views.A.DType.Name()} on {Device}: row kernels take float32 and bfloat16.");
        }
    }

    private void RowsOfA<TRow, X, XQ>(TRow op, in RowViews v) where TRow : struct, IRow where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X>
    {
        if (v.B is null || v.B.Value.DType == v.A.DType) RowsOfB<TRow, X, XQ, X, XQ>(op, v);
        else if (v.B.Value.DType == DType.F32) RowsOfB<TRow, X, XQ, F32, F32x4>(op, v);
        else RowsOfB<TRow, X, XQ, Bf16, Bf16x4>(op, v);
    }

    private void RowsOfB<TRow, X, XQ, B, BQ>(TRow op, in RowViews v)
        where TRow : struct, IRow where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X>
        where B : unmanaged, IElement<B> where BQ : unmanaged, IQuad<BQ, B>
    {
        if (v.C is null || v.C.Value.DType == v.A.DType) Rows<TRow, X, XQ, B, BQ, X, XQ>(op, v);
        else if (v.C.Value.DType == DType.F32) Rows<TRow, X, XQ, B, BQ, F32, F32x4>(op, v);
        else Rows<TRow, X, XQ, B, BQ, Bf16, Bf16x4>(op, v);
    }

    private void Rows<TRow, X, XQ, B, BQ, C, CQ>(TRow op, in RowViews v)
        where TRow : struct, IRow where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X>
        where B : unmanaged, IElement<B> where BQ : unmanaged, IQuad<BQ, B> where C : unmanaged, IElement<C> where CQ : unmanaged, IQuad<CQ, C>
    {
        if (v.A.Shape[1] % 4 == 0 && FitsQuads(v.A) && FitsQuads(v.B) && FitsQuads(v.C) && FitsQuads(v.D) && FitsQuads(v.Y))
            Rows<TRow, ByQuads, X, XQ, B, BQ, C, CQ>(op, v);
        else Rows<TRow, ByOnes, X, XQ, B, BQ, C, CQ>(op, v);
    }

    private void Rows<TRow, TAccess, X, XQ, B, BQ, C, CQ>(TRow op, in RowViews v)
        where TRow : struct, IRow where TAccess : struct, IRowAccess where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X>
        where B : unmanaged, IElement<B> where BQ : unmanaged, IQuad<BQ, B> where C : unmanaged, IElement<C> where CQ : unmanaged, IQuad<CQ, C>
    {
        switch (v.A.Shape[1])
        {
            case <= 32: Rows<TRow, Lanes8, RowInRegisters<TRow, Lanes8, TAccess, X, XQ, B, BQ, C, CQ>, X, B, C>(op, v); break;
            case <= 128: Rows<TRow, Lanes32, RowInRegisters<TRow, Lanes32, TAccess, X, XQ, B, BQ, C, CQ>, X, B, C>(op, v); break;
            case <= 1024: Rows<TRow, Lanes64, RowInRegisters<TRow, Lanes64, TAccess, X, XQ, B, BQ, C, CQ>, X, B, C>(op, v); break;
            case <= 4096: Rows<TRow, Lanes256, RowInRegisters<TRow, Lanes256, TAccess, X, XQ, B, BQ, C, CQ>, X, B, C>(op, v); break;
            case <= LongestInRegisters: Rows<TRow, Lanes512, RowInRegisters<TRow, Lanes512, TAccess, X, XQ, B, BQ, C, CQ>, X, B, C>(op, v); break;
            default: Rows<TRow, Lanes512, RowInPasses<TRow, Lanes512, TAccess, X, XQ, B, BQ, C, CQ>, X, B, C>(op, v); break;
        }
    }

    private void Rows<TRow, TShape, TKernel, X, B, C>(TRow op, in RowViews v)
        where TRow : struct, IRow where TShape : struct, IRowShape where TKernel : struct, IKernel where X : unmanaged where B : unmanaged where C : unmanaged
    {
        var steps = new RowSteps
        {
            A = v.A.Strides[0],
            B = v.B?.Strides[0] ?? 0,
            C = v.C?.Strides[0] ?? 0,
            D = v.D?.Strides[0] ?? 0,
            Y = v.Y?.Strides[0] ?? 0,
            Rows = v.A.Shape[0],
            Columns = v.A.Shape[1],
            KeepsFirst = v.Scalar0 is null ? 0 : 1,
            KeepsSecond = v.Scalar1 is null ? 0 : 1,
        };
        using var _ = Launching();
        // What an op does not use must still be memory of the device: the first input stands in for it.
        Kernel<TKernel, Action<AcceleratorStream, KernelConfig, TRow, RowSteps, ArrayView<X>, ArrayView<B>, ArrayView<C>, ArrayView<X>, ArrayView<X>,
            ArrayView<F32>, ArrayView<F32>>>()
            (Stream, RowGroups<TShape>(v.A.Shape[0]), op, steps, On<X>(v.A), On<B>(v.B ?? v.A), On<C>(v.C ?? v.A), On<X>(v.D ?? v.A), On<X>(v.Y ?? v.A),
                On<F32>(v.Scalar0 ?? v.A), On<F32>(v.Scalar1 ?? v.A));
    }

    private static bool FitsQuads(in View? view) => view is not { } v || FitsQuads(v);

    private static bool FitsQuads(in View view) => view.Offset % 4 == 0 && (view.Shape[0] == 1 || view.Strides[0] % 4 == 0);
}

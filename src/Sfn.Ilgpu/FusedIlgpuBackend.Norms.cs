using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;
using Sfn.Ops;

namespace Sfn.Backends.Ilgpu;

internal partial class FusedIlgpuBackend
{
    public void NormWeightGrad(in View x, in View? mean, in View rstd, in View dy, in View dweight, in View? dbias, bool accumulate)
    {
        if (dweight.Count == 0) return;
        if (rstd.DType != DType.F32 || mean is { DType: not DType.F32 })
        {
            using Temporary r = new(this, rstd.Shape, DType.F32), m = new(this, rstd.Shape, DType.F32);
            Copy(rstd, r.View);
            if (mean is { } some) Copy(some, m.View);
            NormWeightGrad(x, mean is null ? null : m.View, r.View, dy, dweight, dbias, accumulate);
            return;
        }
        switch (x.DType, dy.DType)
        {
            case (DType.F32, DType.F32): NormWeightGrad<F32, F32x4, F32, F32x4>(x, mean, rstd, dy, dweight, dbias, accumulate); break;
            case (DType.BF16, DType.F32): NormWeightGrad<Bf16, Bf16x4, F32, F32x4>(x, mean, rstd, dy, dweight, dbias, accumulate); break;
            case (DType.F32, DType.BF16): NormWeightGrad<F32, F32x4, Bf16, Bf16x4>(x, mean, rstd, dy, dweight, dbias, accumulate); break;
            case (DType.BF16, DType.BF16): NormWeightGrad<Bf16, Bf16x4, Bf16, Bf16x4>(x, mean, rstd, dy, dweight, dbias, accumulate); break;
            default: throw new DTypeMismatch($"norm gradients of {x.DType.Name()} and {dy.DType.Name()} on {Device}: row kernels take float32 and bfloat16.");
        }
    }

    private void NormWeightGrad<X, XQ, Y, YQ>(in View x, in View? mean, in View rstd, in View dy, in View dweight, in View? dbias, bool accumulate)
        where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X> where Y : unmanaged, IElement<Y> where YQ : unmanaged, IQuad<YQ, Y>
    {
        int rows = x.Shape[0], columns = x.Shape[1], run = Math.Max(1, Run(rows, columns, 1)), runs = Math.Max(1, (rows + run - 1) / run);
        var sizes = new NormSizes
        {
            X = x.Strides[0],
            Dy = dy.Strides[0],
            Rows = rows,
            Columns = columns,
            Run = run,
            Centred = mean is null ? 0 : 1,
            Biased = dbias is null ? 0 : 1,
        };
        using Temporary weights = new(this, [runs, columns], DType.F32), biases = new(this, dbias is null ? [1] : [runs, columns], DType.F32);
        if (columns % 4 == 0 && FitsQuads(x) && FitsQuads(dy))
            NormColumns<ByQuads, X, XQ, Y, YQ>(sizes, runs, x, mean ?? rstd, rstd, dy, weights.View, biases.View);
        else NormColumns<ByOnes, X, XQ, Y, YQ>(sizes, runs, x, mean ?? rstd, rstd, dy, weights.View, biases.View);
        Total(weights.View, dweight, accumulate);
        if (dbias is { } bias) Total(biases.View, bias, accumulate);
    }

    private void NormColumns<TAccess, X, XQ, Y, YQ>(NormSizes sizes, int runs, in View x, in View mean, in View rstd,
        in View dy, in View weights, in View biases)
        where TAccess : struct, IRowAccess
        where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X> where Y : unmanaged, IElement<Y> where YQ : unmanaged, IQuad<YQ, Y>
    {
        using var _ = Launching();
        Kernel<NormWeightColumns<TAccess, X, XQ, Y, YQ>, Action<AcceleratorStream, KernelConfig, NormSizes, ArrayView<X>, ArrayView<F32>, ArrayView<F32>,
            ArrayView<Y>, ArrayView<F32>, ArrayView<F32>>>()
            (Stream, new(new Index2D((sizes.Columns + ColumnTile.Columns - 1) / ColumnTile.Columns, runs), new Index2D(ColumnTile.Threads, 1)), sizes,
                On<X>(x), On<F32>(mean), On<F32>(rstd), On<Y>(dy), On<F32>(weights), On<F32>(biases));
    }

    // y := or += the sum of the partial results [runs, columns].
    private void Total(in View partial, in View y, bool accumulate)
    {
        if (!accumulate)
        {
            Reduce(new SumMonoid(), partial.Transpose(0, 1), y, 1);
            return;
        }
        using var sum = new Temporary(this, y.Shape, DType.F32);
        Reduce(new SumMonoid(), partial.Transpose(0, 1), sum.View, 1);
        AddTo(sum.View, y);
    }
}

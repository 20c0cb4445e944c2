using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class IlgpuBackend
{
    public virtual void MatMul(in View a, in View b, in View c, in MatMulSpec spec) => MatMul(a, b, c, spec, null);

    /// <summary>The product by a plan of the caller's choice.</summary>
    internal void MatMul(in View a, in View b, in View c, in MatMulSpec spec, MatMulPlan? plan)
    {
        if (c.Count == 0) return;
        switch (a.DType, b.DType, c.DType)
        {
            case (DType.F32, DType.F32, DType.F32): MatMul<F32, F32x4, F32, F32x4, F32, F32x4>(a, b, c, spec, plan); break;
            case (DType.BF16, DType.BF16, DType.BF16): MatMul<Bf16, Bf16x4, Bf16, Bf16x4, Bf16, Bf16x4>(a, b, c, spec, plan); break;
            case (DType.BF16, DType.BF16, DType.F32): MatMul<Bf16, Bf16x4, Bf16, Bf16x4, F32, F32x4>(a, b, c, spec, plan); break;
            case (DType.F32, DType.BF16, DType.F32): MatMul<F32, F32x4, Bf16, Bf16x4, F32, F32x4>(a, b, c, spec, plan); break;
            case (DType.BF16, DType.F32, DType.F32): MatMul<Bf16, Bf16x4, F32, F32x4, F32, F32x4>(a, b, c, spec, plan); break;
            case (DType.F32, DType.BF16, DType.BF16): MatMul<F32, F32x4, Bf16, Bf16x4, Bf16, Bf16x4>(a, b, c, spec, plan); break;
            case (DType.I32, DType.I32, DType.I32): MatMulWide<I32>(Parameters(a, b, c, spec), a, b, c, spec); break;
            case (DType.F64, DType.F64, DType.F64): MatMulWide<F64>(Parameters(a, b, c, spec), a, b, c, spec); break;
            default:
                string what = $"{a.DType.Name()} and {b.DType.Name()} into {c.DType.Name()}";
                throw new DTypeMismatch($"{Device} has no product of {what}. Convert with To(DType) first.");
        }
    }

    private void MatMul<A, QA, B, QB, C, QC>(in View a, in View b, in View c, in MatMulSpec spec, MatMulPlan? plan)
        where A : unmanaged, IElement<A> where QA : unmanaged, IQuad<QA, A>
        where B : unmanaged, IElement<B> where QB : unmanaged, IQuad<QB, B>
        where C : unmanaged, IElement<C> where QC : unmanaged, IQuad<QC, C>
    {
        if (spec.Bias is { DType: not DType.F32 } narrow)
        {
            using var wide = new Temporary(this, narrow.Shape, DType.F32);
            Copy(narrow, wide.View);
            MatMul<A, QA, B, QB, C, QC>(a, b, c, spec with { Bias = wide.View }, plan);
            return;
        }
        var p = Parameters(a, b, c, spec);
        // The kernels want few rows, not few columns, and neighbouring columns side by side; the transposed product turns one into the other.
        bool swap = Math.Min(p.M, p.N) <= MatMulPlan.FewRows ? p.N < p.M : p.CColumn != 1 && p.CRow == 1;
        if (swap) Run<B, QB, A, QA, C, QC>(p.Swapped(), b, a, c, spec, plan);
        else Run<A, QA, B, QB, C, QC>(p, a, b, c, spec, plan);
    }

    private void Run<A, QA, B, QB, C, QC>(MatMulParameters p, in View a, in View b, in View c, in MatMulSpec spec, MatMulPlan? chosen)
        where A : unmanaged, IElement<A> where QA : unmanaged, IQuad<QA, A>
        where B : unmanaged, IElement<B> where QB : unmanaged, IQuad<QB, B>
        where C : unmanaged, IElement<C> where QC : unmanaged, IQuad<QC, C>
    {
        var readers = MatMulReaders.Of(p, a.Offset, b.Offset, c.Offset, spec.Residual?.Offset ?? 0);
        p.CVector = readers.StoresQuads ? 1 : 0;
        long batches = (long)p.Batch0 * p.Batch1;
        int columns = readers.BAlongSteps ? MatMulRowsK<OneRow, A, QA, B, QB, C>.Columns : MatMulRowsN<OneRow, A, QA, B, QB, C>.Columns;
        var plan = chosen ?? MatMulPlan.Choose(p.M, p.N, p.K, batches, columns);
        p.KPart = plan.Part(p.K);
        p.Splits = p.K == 0 ? 1 : (p.K + p.KPart - 1) / p.KPart;
        // What has no elements may have no memory.
        var x = p.K == 0 ? On<A>(c) : On<A>(a);
        var y = p.K == 0 ? On<B>(c) : On<B>(b);
        var bias = On<F32>(spec.Bias ?? c);
        var residual = On<C>(spec.Residual ?? c);
        if (p.Splits == 1)
        {
            Launch<A, QA, B, QB, C, QC>(p, plan, readers, columns, x, y, On<C>(c), bias, residual);
            return;
        }
        using var parts = new Temporary(this, [Int(p.Splits * batches), p.M, p.N], DType.F32);
        var q = p;
        (q.CRow, q.CColumn, q.CBatch1, q.CBatch0) = (p.N, 1, (long)p.M * p.N, (long)p.M * p.N * p.Batch1);
        q.CSplit = p.CSplit = batches * p.M * p.N;
        q.Accumulate = q.HasBias = q.HasResidual = q.Activation = 0;
        q.CVector = p.N % 4 == 0 ? 1 : 0;
        var sums = On<F32>(parts.View);
        Launch<A, QA, B, QB, F32, F32x4>(q, plan, readers, columns, x, y, sums, sums, sums);
        using var _ = Launching();
        Kernel<MatMulReduce<C>, Action<AcceleratorStream, KernelConfig, MatMulParameters, ArrayView<F32>, ArrayView<C>, ArrayView<F32>, ArrayView<C>>>()
            (Stream, Config(p.CSplit), p, sums, On<C>(c), bias, residual);
    }

    private void Launch<A, QA, B, QB, C, QC>(MatMulParameters p, MatMulPlan plan, MatMulReaders readers, int columns,
        ArrayView<A> a, ArrayView<B> b, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
        where A : unmanaged, IElement<A> where QA : unmanaged, IQuad<QA, A>
        where B : unmanaged, IElement<B> where QB : unmanaged, IQuad<QB, B>
        where C : unmanaged, IElement<C> where QC : unmanaged, IQuad<QC, C>
    {
        if (!plan.IsRows) columns = plan.Rows;
        else if (readers.BAlongSteps) p.Quads = readers.A == MatMulReader.StepQuads && readers.B == MatMulReader.StepQuads ? 1 : 0;
        else p.Quads = readers.B == MatMulReader.LineQuads ? 1 : 0;
        p.TilesM = (p.M + plan.Rows - 1) / plan.Rows;
        p.TilesN = (p.N + columns - 1) / columns;
        int groups = Int((long)p.TilesM * p.TilesN * p.Batch0 * p.Batch1 * p.Splits);
        switch (plan.Kernel)
        {
            case MatMulKernel.Tile128: Tiled<Tile128, A, QA, B, QB, C, QC>(groups, p, readers, a, b, c, bias, residual); break;
            case MatMulKernel.Tile64: Tiled<Tile64, A, QA, B, QB, C, QC>(groups, p, readers, a, b, c, bias, residual); break;
            case MatMulKernel.Tile32: Tiled<Tile32, A, QA, B, QB, C, QC>(groups, p, readers, a, b, c, bias, residual); break;
            case MatMulKernel.Rows1: Rows<OneRow, A, QA, B, QB, C>(groups, p, readers, a, b, c, bias, residual); break;
            case MatMulKernel.Rows4: Rows<FourRows, A, QA, B, QB, C>(groups, p, readers, a, b, c, bias, residual); break;
            default: Rows<EightRows, A, QA, B, QB, C>(groups, p, readers, a, b, c, bias, residual); break;
        }
    }

    private void Tiled<TTile, A, QA, B, QB, C, QC>(int groups, MatMulParameters p, MatMulReaders readers,
        ArrayView<A> a, ArrayView<B> b, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
        where TTile : ITile
        where A : unmanaged, IElement<A> where QA : unmanaged, IQuad<QA, A>
        where B : unmanaged, IElement<B> where QB : unmanaged, IQuad<QB, B>
        where C : unmanaged, IElement<C> where QC : unmanaged, IQuad<QC, C>
    {
        (p.ThreadRows, p.ThreadQuads) = (TTile.Rows, TTile.Columns / 4);
        var config = new KernelConfig(groups, 2 * TTile.Size);
        switch (readers.A)
        {
            case MatMulReader.StepQuads: Tiled<TTile, StepQuads, A, QA, B, QB, C, QC>(config, p, readers.B, a, b, c, bias, residual); break;
            case MatMulReader.LineQuads: Tiled<TTile, LineQuads, A, QA, B, QB, C, QC>(config, p, readers.B, a, b, c, bias, residual); break;
            case MatMulReader.StepSingles: Tiled<TTile, StepSingles, A, QA, B, QB, C, QC>(config, p, readers.B, a, b, c, bias, residual); break;
            default: Tiled<TTile, LineSingles, A, QA, B, QB, C, QC>(config, p, readers.B, a, b, c, bias, residual); break;
        }
    }

    private void Tiled<TTile, RA, A, QA, B, QB, C, QC>(KernelConfig config, in MatMulParameters p, MatMulReader reader,
        ArrayView<A> a, ArrayView<B> b, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
        where TTile : ITile where RA : IReader
        where A : unmanaged, IElement<A> where QA : unmanaged, IQuad<QA, A>
        where B : unmanaged, IElement<B> where QB : unmanaged, IQuad<QB, B>
        where C : unmanaged, IElement<C> where QC : unmanaged, IQuad<QC, C>
    {
        switch (reader)
        {
            case MatMulReader.StepQuads: Launch<MatMulTiled<TTile, RA, StepQuads, A, QA, B, QB, C, QC>, A, B, C>(config, p, a, b, c, bias, residual); break;
            case MatMulReader.LineQuads: Launch<MatMulTiled<TTile, RA, LineQuads, A, QA, B, QB, C, QC>, A, B, C>(config, p, a, b, c, bias, residual); break;
            case MatMulReader.StepSingles: Launch<MatMulTiled<TTile, RA, StepSingles, A, QA, B, QB, C, QC>, A, B, C>(config, p, a, b, c, bias, residual); break;
            default: Launch<MatMulTiled<TTile, RA, LineSingles, A, QA, B, QB, C, QC>, A, B, C>(config, p, a, b, c, bias, residual); break;
        }
    }

    private void Rows<TRows, A, QA, B, QB, C>(int groups, in MatMulParameters p, MatMulReaders readers,
        ArrayView<A> a, ArrayView<B> b, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
        where TRows : IRowCount
        where A : unmanaged, IElement<A> where QA : unmanaged, IQuad<QA, A>
        where B : unmanaged, IElement<B> where QB : unmanaged, IQuad<QB, B>
        where C : unmanaged, IElement<C>
    {
        var config = new KernelConfig(groups, IKernel.Threads);
        if (readers.BAlongSteps) Launch<MatMulRowsK<TRows, A, QA, B, QB, C>, A, B, C>(config, p, a, b, c, bias, residual);
        else Launch<MatMulRowsN<TRows, A, QA, B, QB, C>, A, B, C>(config, p, a, b, c, bias, residual);
    }

    private void Launch<TKernel, A, B, C>(KernelConfig config, in MatMulParameters p,
        ArrayView<A> a, ArrayView<B> b, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
        where TKernel : struct, IKernel where A : unmanaged where B : unmanaged where C : unmanaged
    {
        using var _ = Launching();
        Kernel<TKernel, Action<AcceleratorStream, KernelConfig, MatMulParameters, ArrayView<A>, ArrayView<B>, ArrayView<C>, ArrayView<F32>, ArrayView<C>>>()
            (Stream, config, p, a, b, c, bias, residual);
    }

    private void MatMulWide<S>(in MatMulParameters p, in View a, in View b, in View c, in MatMulSpec spec) where S : unmanaged, IWideElement<S>
    {
        using var _ = Launching();
        Kernel<MatMulWide<S>, Action<AcceleratorStream, KernelConfig, MatMulParameters, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>>>()
            (Stream, Config(c.Count), p, On<S>(p.K == 0 ? c : a), On<S>(p.K == 0 ? c : b), On<S>(c), On<S>(spec.Bias ?? c), On<S>(spec.Residual ?? c));
    }

    private protected static MatMulParameters Parameters(in View a, in View b, in View c, in MatMulSpec spec)
    {
        int rank = c.Rank;
        var p = new MatMulParameters
        {
            M = c.Shape[rank - 2],
            N = c.Shape[rank - 1],
            K = a.Shape[rank - 1],
            Batch0 = rank > 3 ? c.Shape[0] : 1,
            Batch1 = rank > 2 ? c.Shape[rank - 3] : 1,
            Accumulate = spec.Accumulate ? 1 : 0,
            HasBias = spec.Bias is null ? 0 : 1,
            HasResidual = spec.Residual is null ? 0 : 1,
            Activation = (int)spec.Activation,
        };
        (p.ABatch0, p.ABatch1, p.ARow, p.AColumn) = Strides4(a);
        (p.BBatch0, p.BBatch1, p.BRow, p.BColumn) = Strides4(b);
        (p.CBatch0, p.CBatch1, p.CRow, p.CColumn) = Strides4(c);
        if (spec.Bias is { } bias) (p.BiasBatch0, p.BiasBatch1, p.BiasRow, p.BiasColumn) = Strides4(bias.Expand(c.Shape));
        if (spec.Residual is { } residual) (p.ResidualBatch0, p.ResidualBatch1, p.ResidualRow, p.ResidualColumn) = Strides4(residual);
        return p;
    }

    private static (long, long, long, long) Strides4(in View x)
    {
        int rank = x.Rank;
        return (rank > 3 ? x.Strides[0] : 0, rank > 2 ? x.Strides[rank - 3] : 0, x.Strides[rank - 2], x.Strides[rank - 1]);
    }
}

using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class IlgpuBackend
{
    public virtual void MatMul(in View a, in View b, in View c, in MatMulSpec spec)
    {
        if (c.Count == 0) return;
        var p = Parameters(a, b, c, spec);
        switch (a.DType, b.DType, c.DType)
        {
            case (DType.F32, DType.F32, DType.F32): MatMul<F32, F32, F32>(p, a, b, c, spec); break;
            case (DType.BF16, DType.BF16, DType.BF16): MatMul<Bf16, Bf16, Bf16>(p, a, b, c, spec); break;
            case (DType.BF16, DType.BF16, DType.F32): MatMul<Bf16, Bf16, F32>(p, a, b, c, spec); break;
            case (DType.F32, DType.BF16, DType.F32): MatMul<F32, Bf16, F32>(p, a, b, c, spec); break;
            case (DType.BF16, DType.F32, DType.F32): MatMul<Bf16, F32, F32>(p, a, b, c, spec); break;
            case (DType.F32, DType.BF16, DType.BF16): MatMul<F32, Bf16, Bf16>(p, a, b, c, spec); break;
            case (DType.I32, DType.I32, DType.I32): MatMulWide<I32>(p, a, b, c, spec); break;
            case (DType.F64, DType.F64, DType.F64): MatMulWide<F64>(p, a, b, c, spec); break;
            default:
                throw new DTypeMismatch($"{Device} has no product of {a.DType.Name()} and {b.DType.Name()} into {c.DType.Name()}. Convert with To(DType) first.");
        }
    }

    private void MatMul<A, B, C>(in MatMulParameters p, in View a, in View b, in View c, in MatMulSpec spec)
        where A : unmanaged, IElement<A> where B : unmanaged, IElement<B> where C : unmanaged, IElement<C>
    {
        if (spec.Bias is { DType: not DType.F32 } narrow)
        {
            using var wide = new Temporary(this, narrow.Shape, DType.F32);
            Copy(narrow, wide.View);
            var other = spec with { Bias = wide.View };
            MatMul<A, B, C>(Parameters(a, b, c, other), a, b, c, other);
            return;
        }
        using var _ = Launching();
        Kernel<MatMulSerial<A, B, C>,
            Action<AcceleratorStream, KernelConfig, MatMulParameters, ArrayView<A>, ArrayView<B>, ArrayView<C>, ArrayView<F32>, ArrayView<C>>>()
            (Stream, new KernelConfig(new Index3D(Int(((long)p.M * p.N + IKernel.Threads - 1) / IKernel.Threads), p.Batch0, p.Batch1), new Index3D(IKernel.Threads, 1, 1)),
                p, On<A>(a), On<B>(b), On<C>(c), On<F32>(spec.Bias ?? c), On<C>(spec.Residual ?? c));
    }

    private void MatMulWide<S>(in MatMulParameters p, in View a, in View b, in View c, in MatMulSpec spec) where S : unmanaged, IWideElement<S>
    {
        using var _ = Launching();
        Kernel<MatMulWide<S>, Action<AcceleratorStream, KernelConfig, MatMulParameters, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>>>()
            (Stream, new KernelConfig(new Index3D(Int(((long)p.M * p.N + IKernel.Threads - 1) / IKernel.Threads), p.Batch0, p.Batch1), new Index3D(IKernel.Threads, 1, 1)),
                p, On<S>(a), On<S>(b), On<S>(c), On<S>(spec.Bias ?? c), On<S>(spec.Residual ?? c));
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

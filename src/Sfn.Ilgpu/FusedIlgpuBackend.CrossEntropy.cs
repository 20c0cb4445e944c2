using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class FusedIlgpuBackend : ICrossEntropy
{
    public void CrossEntropy(in View logits, in View targets, int ignore, in View losses, bool gradient)
    {
        if (losses.Count == 0) return;
        if (losses.DType != DType.F32 || !losses.IsContiguous)
        {
            using var wide = new Temporary(this, losses.Shape, DType.F32);
            CrossEntropy(logits, targets, ignore, wide.View, gradient);
            Copy(wide.View, losses);
            return;
        }
        switch (logits.DType)
        {
            case DType.F32: CrossEntropy<F32, F32x4>(logits, targets, ignore, losses, gradient); break;
            case DType.BF16: CrossEntropy<Bf16, Bf16x4>(logits, targets, ignore, losses, gradient); break;
            default: throw new DTypeMismatch($"cross_entropy of {logits.DType.Name()} on {Device}: the kernel takes float32 and bfloat16.");
        }
    }

    private void CrossEntropy<S, Q>(in View logits, in View targets, int ignore, in View losses, bool gradient)
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        if (logits.Shape[1] % 4 == 0 && FitsQuads(logits)) CrossEntropy<ByQuads, S, Q>(logits, targets, ignore, losses, gradient);
        else CrossEntropy<ByOnes, S, Q>(logits, targets, ignore, losses, gradient);
    }

    private void CrossEntropy<TAccess, S, Q>(in View logits, in View targets, int ignore, in View losses, bool gradient)
        where TAccess : struct, IRowAccess where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        switch (logits.Shape[1])
        {
            case <= 1024: CrossEntropy<Lanes32, TAccess, S, Q>(logits, targets, ignore, losses, gradient); break;
            case <= 8192: CrossEntropy<Lanes256, TAccess, S, Q>(logits, targets, ignore, losses, gradient); break;
            default: CrossEntropy<Lanes512, TAccess, S, Q>(logits, targets, ignore, losses, gradient); break;
        }
    }

    private void CrossEntropy<TShape, TAccess, S, Q>(in View logits, in View targets, int ignore, in View losses, bool gradient)
        where TShape : struct, IRowShape where TAccess : struct, IRowAccess where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        using var _ = Launching();
        Kernel<CrossEntropyRows<TShape, TAccess, S, Q>,
            Action<AcceleratorStream, KernelConfig, int, int, long, int, int, ArrayView<S>, ArrayView<I32>, ArrayView<F32>>>()
            (Stream, RowGroups<TShape>(logits.Shape[0]), logits.Shape[0], logits.Shape[1], logits.Strides[0], ignore, gradient ? 1 : 0,
                On<S>(logits), On<I32>(targets), On<F32>(losses));
    }
}

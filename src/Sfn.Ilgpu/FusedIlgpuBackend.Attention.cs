using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class FusedIlgpuBackend : IFlashAttention, IAttentionDevice
{
    AcceleratorStream IAttentionDevice.Stream => Stream;

    bool IFlashAttention.Takes(DType activations) => PortableAttention.Supports(activations);

    public virtual void Attention(in AttentionViews views)
    {
        using var _ = Launching();
        PortableAttention.Forward(this, views);
    }

    public virtual void AttentionGrad(in AttentionViews views, in View dO, in View dQ, in View dK, in View dV)
    {
        using var _ = Launching();
        PortableAttention.Backward(this, views, dO, dQ, dK, dV);
    }

    TLauncher IAttentionDevice.Kernel<TKernel, TLauncher>() => Kernel<TKernel, TLauncher>();

    ArrayView<E> IAttentionDevice.On<E>(in View view) => On<E>(view);

    View IAttentionDevice.Rent(in Shape shape) => Rent(shape, DType.F32);

    void IAttentionDevice.Return(in View view) => Return(view);
}

using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class FusedIlgpuBackend : IRotary
{
    bool IRotary.Takes(DType activations) => activations is DType.F32 or DType.BF16;

    public void Rotate(in View x, in View y, in View cos, in View sin, int start, bool inverse)
    {
        if (y.Count == 0) return;
        switch (x.DType)
        {
            case DType.F32: Rotate<F32, F32x4>(x, y, cos, sin, start, inverse); break;
            case DType.BF16: Rotate<Bf16, Bf16x4>(x, y, cos, sin, start, inverse); break;
            default: throw new DTypeMismatch($"rope of {x.DType.Name()} on {Device}: the kernel takes float32 and bfloat16.");
        }
    }

    private void Rotate<S, Q>(in View x, in View y, in View cos, in View sin, int start, bool inverse)
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        int half = x.Shape[3] / 2;
        var sizes = new RotarySizes
        {
            XBatch = x.Strides[0],
            XToken = x.Strides[1],
            XHead = x.Strides[2],
            YBatch = y.Strides[0],
            YToken = y.Strides[1],
            YHead = y.Strides[2],
            Count = Int(y.Count / (2 * half) * ((half + 3) / 4)),
            Batch = x.Shape[0],
            Tokens = x.Shape[1],
            Heads = x.Shape[2],
            Half = half,
            Start = start,
            Sign = inverse ? -1 : 1,
        };
        bool quads = half % 4 == 0 && (cos.Offset | sin.Offset) % 4 == 0
            && (x.Offset | y.Offset | sizes.XBatch | sizes.XToken | sizes.XHead | sizes.YBatch | sizes.YToken | sizes.YHead) % 4 == 0;
        using var _ = Launching();
        var config = Config(sizes.Count);
        if (quads)
            Kernel<Rotate<ByQuads, S, Q>, Action<AcceleratorStream, KernelConfig, RotarySizes, ArrayView<S>, ArrayView<S>, ArrayView<F32>, ArrayView<F32>>>()
                (Stream, config, sizes, On<S>(x), On<S>(y), On<F32>(cos), On<F32>(sin));
        else
            Kernel<Rotate<ByOnes, S, Q>, Action<AcceleratorStream, KernelConfig, RotarySizes, ArrayView<S>, ArrayView<S>, ArrayView<F32>, ArrayView<F32>>>()
                (Stream, config, sizes, On<S>(x), On<S>(y), On<F32>(cos), On<F32>(sin));
    }
}

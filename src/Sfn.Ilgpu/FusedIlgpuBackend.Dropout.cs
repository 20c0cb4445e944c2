using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class FusedIlgpuBackend : IDropout
{
    public void Dropout(in View x, in View y, in DropoutSpec spec, bool accumulate)
    {
        if (y.Count == 0) return;
        switch (x.DType)
        {
            case DType.F32: Dropout<F32, F32x4>(x, y, spec, accumulate); break;
            case DType.BF16: Dropout<Bf16, Bf16x4>(x, y, spec, accumulate); break;
            default: throw new DTypeMismatch($"dropout of {x.DType.Name()} on {Device}: the kernel takes float32 and bfloat16.");
        }
    }

    private void Dropout<S, Q>(in View x, in View y, in DropoutSpec spec, bool accumulate)
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        var bits = new DropoutBits
        {
            Seed = spec.Seed,
            Stream0 = spec.Stream0,
            Stream1 = spec.Stream1,
            Streams = spec.Streams,
            FromMemory = spec.Memory is null ? 0 : 1,
            Threshold = spec.Threshold,
            Kept = spec.Kept,
            Accumulate = accumulate ? 1 : 0,
            Aligned = (x.Offset | y.Offset) % 4 == 0 ? 1 : 0,
            Count = Int(y.Count),
            Threads = Int(DropoutQuads<S, Q>.ThreadsFor(y.Count)),
        };
        using var _ = Launching();
        Kernel<DropoutQuads<S, Q>, Action<AcceleratorStream, KernelConfig, DropoutBits, ArrayView<int>, ArrayView<S>, ArrayView<S>>>()
            (Stream, Config(bits.Threads), bits, On<int>(spec.Memory ?? y), On<S>(x), On<S>(y));
    }
}

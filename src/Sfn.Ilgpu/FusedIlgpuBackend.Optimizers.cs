using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class FusedIlgpuBackend : IOptimizerKernels
{
    public void AdamW(in AdamWViews views, in View settings)
    {
        if (views.P.Count == 0) return;
        if (Aligned(views.P, views.G, views.M, views.V, views.Shadow)) AdamW<ByQuads>(views, settings);
        else AdamW<ByOnes>(views, settings);
    }

    public void Sgd(in SgdViews views, in View settings)
    {
        if (views.P.Count == 0) return;
        if (Aligned(views.P, views.G, views.M, views.M, views.Shadow)) Sgd<ByQuads>(views, settings);
        else Sgd<ByOnes>(views, settings);
    }

    private void AdamW<TAccess>(in AdamWViews v, in View settings) where TAccess : struct, IRowAccess
    {
        int count = Int(v.P.Count), lanes = (count + 3) / 4;
        using var _ = Launching();
        Kernel<AdamWStep<TAccess>, Action<AcceleratorStream, KernelConfig, int, int, int, ArrayView<F32>, ArrayView<F32>, ArrayView<F32>, ArrayView<F32>,
            ArrayView<Bf16>, ArrayView<float>, ArrayView<float>>>()
            (Stream, Config(lanes), count, lanes, v.Shadow is null ? 0 : 1, On<F32>(v.P), On<F32>(v.G), On<F32>(v.M), On<F32>(v.V),
                On<Bf16>(v.Shadow ?? v.P), On<float>(settings), On<float>(v.Scale));
    }

    private void Sgd<TAccess>(in SgdViews v, in View settings) where TAccess : struct, IRowAccess
    {
        int count = Int(v.P.Count), lanes = (count + 3) / 4;
        using var _ = Launching();
        Kernel<SgdStep<TAccess>, Action<AcceleratorStream, KernelConfig, int, int, int, ArrayView<F32>, ArrayView<F32>, ArrayView<F32>,
            ArrayView<Bf16>, ArrayView<float>, ArrayView<float>>>()
            (Stream, Config(lanes), count, lanes, v.Shadow is null ? 0 : 1, On<F32>(v.P), On<F32>(v.G), On<F32>(v.M),
                On<Bf16>(v.Shadow ?? v.P), On<float>(settings), On<float>(v.Scale));
    }

    private static bool Aligned(in View p, in View g, in View m, in View v, in View? shadow) =>
        p.Count % 4 == 0 && (p.Offset | g.Offset | m.Offset | v.Offset | (shadow?.Offset ?? 0)) % 4 == 0;
}

using Sfn.Backends.Ilgpu.Cuda;

namespace Sfn.Backends.Ilgpu;

internal partial class CudaBackend
{
    public override void Attention(in AttentionViews views)
    {
        if (CudaAttention.Supports(this, views)) CudaAttention.Forward(this, views);
        else base.Attention(views);
    }

    public override void AttentionGrad(in AttentionViews views, in View dO, in View dQ, in View dK, in View dV)
    {
        if (CudaAttention.Supports(this, views, dO, dQ, dK, dV)) CudaAttention.Backward(this, views, dO, dQ, dK, dV);
        else base.AttentionGrad(views, dO, dQ, dK, dV);
    }
}

namespace Sfn.Backends.Cpu;

internal sealed unsafe partial class CpuBackend
{
    public void Attention(in AttentionViews views)
    {
        if (Brief(views.Q)) AttentionWide(views);
        else FlashAttention.Forward(Problem(views));
    }

    public void AttentionGrad(in AttentionViews views, in View dO, in View dQ, in View dK, in View dV)
    {
        if (Brief(views.Q))
        {
            AttentionGradWide(views, dO, dQ, dK, dV);
            return;
        }
        var p = Problem(views);
        p.DO = (float*)dO.Pointer;
        p.DQ = (float*)dQ.Pointer;
        p.DK = (float*)dK.Pointer;
        p.DV = (float*)dV.Pointer;
        (p.DOBatch, p.DOToken, p.DOHead) = (dO.Strides[0], dO.Strides[1], dO.Strides[2]);
        (p.DQBatch, p.DQToken, p.DQHead) = (dQ.Strides[0], dQ.Strides[1], dQ.Strides[2]);
        (p.DKBatch, p.DKToken, p.DKHead) = (dK.Strides[0], dK.Strides[1], dK.Strides[2]);
        (p.DVBatch, p.DVToken, p.DVHead) = (dV.Strides[0], dV.Strides[1], dV.Strides[2]);
        FlashAttention.Backward(p);
    }

    private static AttentionProblem Problem(in AttentionViews v) => new()
    {
        Batch = v.Q.Shape[0], Tq = v.Q.Shape[1], Heads = v.Q.Shape[2], HeadDim = v.Q.Shape[3], Tk = v.K.Shape[1], KvHeads = v.K.Shape[2],
        Q = (float*)v.Q.Pointer, K = (float*)v.K.Pointer, V = (float*)v.V.Pointer, O = (float*)v.O.Pointer, Lse = (float*)v.Lse.Pointer,
        QBatch = v.Q.Strides[0], QToken = v.Q.Strides[1], QHead = v.Q.Strides[2],
        KBatch = v.K.Strides[0], KToken = v.K.Strides[1], KHead = v.K.Strides[2],
        VBatch = v.V.Strides[0], VToken = v.V.Strides[1], VHead = v.V.Strides[2],
        OBatch = v.O.Strides[0], OToken = v.O.Strides[1], OHead = v.O.Strides[2],
        Scale = v.Scale, Causal = v.Causal,
        KeyMask = v.Mask is { } mask ? mask.Pointer : null, KeyMaskBatch = v.Mask?.Strides[0] ?? 0,
    };

    public void Rotate(in View x, in View y, in View cos, in View sin, int start, bool inverse)
    {
        if (Brief(x))
        {
            RotateWide(x, y, cos, sin, start, inverse);
            return;
        }
        RopeWalker.Run(
            F(x), x.Strides[0], x.Strides[1], x.Strides[2], F(y), y.Strides[0], y.Strides[1], y.Strides[2],
            x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], start, F(cos), F(sin), inverse);
    }
}

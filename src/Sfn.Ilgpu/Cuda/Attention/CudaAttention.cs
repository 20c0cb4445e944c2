namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>Attention on tensor cores, where types and layouts allow.</summary>
internal static class CudaAttention
{
    // Fewer queries than this leave most rows of a tile empty; the portable kernels cut the keys into parts instead.
    private const int LeastQueries = 16;

    /// <summary>
    /// Whether the kernels take the problem: bfloat16 throughout, head dimension 32, 64, 96 or 128, rows that begin at multiples of 16 bytes, and a
    /// positive scale; <paramref name="others"/> are the gradients.
    /// </summary>
    public static bool Supports(ICudaQueue queue, in AttentionViews views, params ReadOnlySpan<View> others)
    {
        var q = views.Q;
        bool fits = Array.IndexOf(FlashKernel.Dims, q.Shape[3]) >= 0 && (q.Shape[1] >= LeastQueries || others.Length > 0) && views.Scale > 0
            && views.Lse.IsContiguous && (long)q.Shape[0] * q.Shape[2] * q.Shape[1] < int.MaxValue && q.Count > 0 && views.K.Shape[1] > 0
            && views.K.Shape[2] > 0 && q.Shape[2] % views.K.Shape[2] == 0
            && Fits(queue, q) && Fits(queue, views.K) && Fits(queue, views.V) && Fits(queue, views.O);
        foreach (var view in others) fits = fits && Fits(queue, view);
        return fits;
    }

    /// <summary>O and the log-sum-exp.</summary>
    public static void Forward(ICudaQueue queue, in AttentionViews views)
    {
        var p = Parameters(queue, views);
        Start(queue, FlashPass.Forward, views, ref p);
    }

    /// <summary>dQ, dK and dV, overwritten.</summary>
    public static void Backward(ICudaQueue queue, in AttentionViews views, in View dO, in View dQ, in View dK, in View dV)
    {
        var p = Parameters(queue, views);
        var scalars = queue.Rent([2, (int)p.Total], DType.F32);
        (p.Delta, p.Shift) = (queue.Address(scalars), queue.Address(scalars.Select(0, 1)));
        (p.DO, p.DOBatch, p.DOToken, p.DOHead) = Operand(queue, dO);
        (p.DQ, p.DQBatch, p.DQToken, p.DQHead) = Operand(queue, dQ);
        (p.DK, p.DKBatch, p.DKToken, p.DKHead) = Operand(queue, dK);
        (p.DV, p.DVBatch, p.DVToken, p.DVHead) = Operand(queue, dV);
        Start(queue, FlashPass.Delta, views, ref p);
        Start(queue, FlashPass.QueryGrad, views, ref p);
        Start(queue, FlashPass.KeyGrad, views, ref p);
        queue.Return(scalars);
    }

    /// <summary>Blocks of a launch, and the tiles per head that go into the parameters.</summary>
    public static uint Blocks(FlashKernel kernel, ref FlashParameters p, int batch)
    {
        if (kernel.Pass == FlashPass.Delta)
        {
            uint rows = (uint)(FlashKernel.Threads / FlashDelta.Lanes(kernel.Dim));
            return (p.Total + rows - 1) / rows;
        }
        bool keys = kernel.Pass == FlashPass.KeyGrad;
        p.Tiles = ((keys ? p.Tk : p.Tq) + (uint)kernel.Rows - 1) / (uint)kernel.Rows;
        return checked(p.Tiles * (keys ? p.KvHeads : p.Heads) * (uint)batch);
    }

    private static void Start(ICudaQueue queue, FlashPass pass, in AttentionViews views, ref FlashParameters p)
    {
        var kernel = new FlashKernel(pass, views.Q.Shape[3], views.Mask is not null && pass != FlashPass.Delta);
        uint blocks = Blocks(kernel, ref p, views.Q.Shape[0]);
        queue.Start(kernel.Name, kernel.Build, new Launch(blocks, 1, FlashKernel.Threads, kernel.SharedBytes), p);
    }

    private static FlashParameters Parameters(ICudaQueue queue, in AttentionViews views)
    {
        var (q, k) = (views.Q.Shape, views.K.Shape);
        var p = new FlashParameters
        {
            Tq = (uint)q[1], Tk = (uint)k[1], Heads = (uint)q[2], KvHeads = (uint)k[2], Group = (uint)(q[2] / k[2]), Total = (uint)(q[0] * q[1] * q[2]),
            Causal = views.Causal ? 1u : 0u, Scale = views.Scale, ScaleLog2 = (float)(views.Scale * 1.4426950408889634), Lse = queue.Address(views.Lse),
        };
        (p.Q, p.QBatch, p.QToken, p.QHead) = Operand(queue, views.Q);
        (p.K, p.KBatch, p.KToken, p.KHead) = Operand(queue, views.K);
        (p.V, p.VBatch, p.VToken, p.VHead) = Operand(queue, views.V);
        (p.O, p.OBatch, p.OToken, p.OHead) = Operand(queue, views.O);
        if (views.Mask is { } mask) (p.Mask, p.MaskBatch, p.MaskKey) = (queue.Address(mask), (ulong)mask.Strides[0], (ulong)mask.Strides[1]);
        return p;
    }

    private static (ulong Address, ulong Batch, ulong Token, ulong Head) Operand(ICudaQueue queue, in View view)
    {
        int size = view.DType.Size();
        return (queue.Address(view), (ulong)(view.Strides[0] * size), (ulong)(view.Strides[1] * size), (ulong)(view.Strides[2] * size));
    }

    // Copies move 16 bytes at a time, and distances within a tile are counted in 32 bits.
    private static bool Fits(ICudaQueue queue, in View view)
    {
        if (view.DType != DType.BF16 || view.Strides[3] != 1 || queue.Address(view) % 16 != 0) return false;
        for (int i = 0; i < 3; i++)
            if (view.Shape[i] > 1 && view.Strides[i] % 8 != 0) return false;
        return view.Strides[1] < 1 << 22;
    }
}

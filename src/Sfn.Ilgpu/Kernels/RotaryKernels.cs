using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Sizes and element strides of a rotation: x and y [batch, tokens, heads, 2·half], dense along the last dimension.</summary>
internal struct RotarySizes
{
    public long XBatch, XToken, XHead, YBatch, YToken, YHead;
    public int Count, Batch, Tokens, Heads, Half, Start;
    public float Sign;
}

/// <summary>
/// Turns element i of a head with element i + half by its position's angle (Su et al. 2021, arXiv 2104.09864): one pair per thread, or four pairs.
/// </summary>
internal readonly struct Rotate<TAccess, S, Q> : IKernel where TAccess : struct, IRowAccess where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
{
    public static string Name => $"rotary_{S.Name}{TAccess.Name}";

    public static Delegate Body => (Action<RotarySizes, ArrayView<S>, ArrayView<S>, ArrayView<F32>, ArrayView<F32>>)Run;

    private static void Run(RotarySizes n, ArrayView<S> x, ArrayView<S> y, ArrayView<F32> cos, ArrayView<F32> sin)
    {
        int i = IKernel.Global;
        if (i >= n.Count) return;
        // A head's pairs are walked like a row of one lane: slots of four.
        int slots = (n.Half + 3) / 4, rest = i / slots, slot = i - rest * slots, head = rest % n.Heads, position = rest / n.Heads;
        int batch = position / n.Tokens, token = position - batch * n.Tokens;
        long from = batch * n.XBatch + token * n.XToken + head * n.XHead, to = batch * n.YBatch + token * n.YToken + head * n.YHead;
        long angle = (long)(n.Start + token) * n.Half;
        Four a = TAccess.Load<S, Q>(x, from, 0, 1, slot, n.Half), b = TAccess.Load<S, Q>(x, from + n.Half, 0, 1, slot, n.Half);
        Four c = TAccess.Load<F32, F32x4>(cos, angle, 0, 1, slot, n.Half), s = TAccess.Load<F32, F32x4>(sin, angle, 0, 1, slot, n.Half);
        G1 sign = new(n.Sign);
        s = Four.Of(s.A * sign, s.B * sign, s.C * sign, s.D * sign);
        TAccess.Store<S, Q>(y, to, 0, 1, slot, n.Half, Four.Of(a.A * c.A - b.A * s.A, a.B * c.B - b.B * s.B, a.C * c.C - b.C * s.C, a.D * c.D - b.D * s.D));
        TAccess.Store<S, Q>(y, to + n.Half, 0, 1, slot, n.Half,
            Four.Of(b.A * c.A + a.A * s.A, b.B * c.B + a.B * s.B, b.C * c.C + a.C * s.C, b.D * c.D + a.D * s.D));
    }
}

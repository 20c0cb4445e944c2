using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>
/// bfloat16 operands. The kernels compute float32 alone: what is bfloat16 is widened into scratch for the length of a call, and results are rounded as they
/// are copied back. Long operands go in pieces that stay in the caches, so that no float32 copy of a whole activation exists.
/// </summary>
internal sealed unsafe partial class CpuBackend
{
    /// <summary>Elements of a piece of an elementwise or row op: three operands of it fit into the last-level cache.</summary>
    internal static long PieceElements { get; set; } = 1 << 18;

    /// <summary>Elements of a piece of one operand of a product: enough work to pay for packing the other one again.</summary>
    internal static long ProductElements { get; set; } = 1 << 21;

    public bool Takes(DType activations) => activations is DType.F32 or DType.BF16;

    private static bool Brief(in View x) => x.DType == DType.BF16;

    // float32 and bfloat16 alone, and not all float32.
    private static bool Mixed(in View a, in View b) => (Brief(a) || Brief(b)) && Plain(a) && Plain(b);

    private static bool Mixed(in View a, in View b, in View c) => (Brief(a) || Brief(b) || Brief(c)) && Plain(a) && Plain(b) && Plain(c);

    private static bool Plain(in View x) => x.DType is DType.F32 or DType.BF16;

    private void MapWide<TOp>(TOp op, in View x, in View y) where TOp : struct, IUnary
    {
        foreach (var part in Parts.Of(x, y))
        {
            using Wide wx = new(this, part.Cut(x)), wy = new(this, part.Cut(y), Access.Write);
            Map(op, wx.View, wy.View);
        }
    }

    private void MapGradWide<TOp>(TOp op, in View x, in View y, in View dy, in View dx, bool accumulate) where TOp : struct, IUnary
    {
        foreach (var part in Parts.Of(x, y, dy, dx))
        {
            using Wide wx = new(this, part.Cut(x)), wy = new(this, part.Cut(y)), wdy = new(this, part.Cut(dy));
            using Wide wdx = new(this, part.Cut(dx), accumulate ? Access.Both : Access.Write);
            MapGrad(op, wx.View, wy.View, wdy.View, wdx.View, accumulate);
        }
    }

    private void ZipWide<TOp>(TOp op, in View a, in View b, in View y) where TOp : struct, IBinary
    {
        foreach (var part in Parts.Of(a, b, y))
        {
            using Wide wa = new(this, part.Cut(a)), wb = new(this, part.Cut(b)), wy = new(this, part.Cut(y), Access.Write);
            Zip(op, wa.View, wb.View, wy.View);
        }
    }

    private void ZipGradWide<TOp>(TOp op, int input, in View a, in View b, in View y, in View dy, in View dx) where TOp : struct, IBinary
    {
        foreach (var part in Parts.Of(a, b, y, dy, dx))
        {
            using Wide wa = new(this, part.Cut(a)), wb = new(this, part.Cut(b)), wy = new(this, part.Cut(y)), wdy = new(this, part.Cut(dy));
            using Wide wdx = new(this, part.Cut(dx), Access.Write);
            ZipGrad(op, input, wa.View, wb.View, wy.View, wdy.View, wdx.View);
        }
    }

    private void ReduceWide<TMonoid>(TMonoid monoid, in View x, in View y, int axes) where TMonoid : struct, IMonoid
    {
        using Wide wy = new(this, y, Access.Write);
        foreach (var part in y.Rank > 0 ? Parts.Rows(x) : Parts.Whole)
        {
            using Wide wx = new(this, part.Cut(x));
            Reduce(monoid, wx.View, part.Cut(wy.View), axes);
        }
    }

    // The longest of m, n and k is cut. What has no part in it is widened once; along k the pieces add up in c, and what follows the sum comes last.
    private void MatMulWide(in View a, in View b, in View c, in MatMulSpec spec)
    {
        int r = c.Rank, m = c.Shape[r - 2], n = c.Shape[r - 1], k = a.Shape[r - 1], longest = Math.Max(m, Math.Max(n, k));
        bool overM = m == longest, overN = !overM && n == longest, overK = !overM && !overN;
        long beside = Math.Max(1, overM ? Math.Max(n, k) : overN ? Math.Max(m, k) : Math.Max(m, n)) * Math.Max(1, c.Count / Math.Max(1, (long)m * n));
        int step = (int)Math.Clamp(ProductElements / beside & -64, 64, Math.Max(64, longest));
        using Wide a0 = new(this, a, needed: overN), b0 = new(this, b, needed: overM), c0 = new(this, c, spec.Accumulate ? Access.Both : Access.Write, overK);
        for (int at = 0; at == 0 || at < longest; at += step)
        {
            int length = Math.Min(step, longest - at);
            View Cut(in View x, bool first, bool second) => first ? x.Narrow(x.Rank - 2, at, length) : second ? x.Narrow(x.Rank - 1, at, length) : x;
            bool more = spec.Accumulate || (overK && at > 0), last = !overK || at + length >= k;
            using Wide wa = new(this, Cut(a0.View, overM, overK)), wb = new(this, Cut(b0.View, overK, overN));
            using Wide wc = new(this, Cut(c0.View, overM, overN), more ? Access.Both : Access.Write);
            using Wide bias = new(this, last && spec.Bias is { } add ? Cut(add, false, overN && add.Shape[add.Rank - 1] == n) : null);
            using Wide residual = new(this, last && spec.Residual is { } rest ? Cut(rest, overM, overN) : null);
            MatMul(wa.View, wb.View, wc.View, spec with
            {
                Accumulate = more,
                Bias = bias.Optional,
                Residual = residual.Optional,
                Activation = last ? spec.Activation : Activation.None,
            });
        }
    }

    private void RowsWide<TRow>(TRow op, in RowViews v) where TRow : struct, IRow
    {
        foreach (var part in Parts.Rows(v.A))
        {
            using Wide a = new(this, part.Cut(v.A)), b = new(this, part.Cut(v.B)), c = new(this, part.Cut(v.C)), d = new(this, part.Cut(v.D));
            using Wide y = new(this, part.Cut(v.Y), Access.Write);
            Rows(op, new RowViews
            {
                A = a.View, B = b.Optional, C = c.Optional, D = d.Optional, Y = y.Optional, Scalar0 = part.Cut(v.Scalar0), Scalar1 = part.Cut(v.Scalar1),
            });
        }
    }

    private void NormWeightGradWide(in View x, in View? mean, in View rstd, in View dy, in View dweight, in View? dbias, bool accumulate)
    {
        foreach (var part in Parts.Rows(x))
        {
            using Wide wx = new(this, part.Cut(x)), wdy = new(this, part.Cut(dy));
            NormWeightGrad(wx.View, part.Cut(mean), part.Cut(rstd), wdy.View, dweight, dbias, accumulate || part.At > 0);
        }
    }

    private void AttentionWide(in AttentionViews v)
    {
        foreach (var part in Parts.Rows(v.Q))
        {
            using Wide q = new(this, part.Cut(v.Q)), k = new(this, part.Cut(v.K)), w = new(this, part.Cut(v.V)), o = new(this, part.Cut(v.O), Access.Write);
            Attention(v with { Q = q.View, K = k.View, V = w.View, O = o.View, Lse = part.Cut(v.Lse), Mask = part.Cut(v.Mask) });
        }
    }

    private void AttentionGradWide(in AttentionViews v, in View dO, in View dQ, in View dK, in View dV)
    {
        foreach (var part in Parts.Rows(v.Q))
        {
            using Wide q = new(this, part.Cut(v.Q)), k = new(this, part.Cut(v.K)), w = new(this, part.Cut(v.V)), o = new(this, part.Cut(v.O));
            using Wide g = new(this, part.Cut(dO)), gq = new(this, part.Cut(dQ), Access.Write);
            using Wide gk = new(this, part.Cut(dK), Access.Write), gv = new(this, part.Cut(dV), Access.Write);
            var views = v with { Q = q.View, K = k.View, V = w.View, O = o.View, Lse = part.Cut(v.Lse), Mask = part.Cut(v.Mask) };
            AttentionGrad(views, g.View, gq.View, gk.View, gv.View);
        }
    }

    private void RotateWide(in View x, in View y, in View cos, in View sin, int start, bool inverse)
    {
        foreach (var part in Parts.Rows(x))
        {
            using Wide wx = new(this, part.Cut(x)), wy = new(this, part.Cut(y), Access.Write);
            Rotate(wx.View, wy.View, cos, sin, start, inverse);
        }
    }

    /// <summary>Pieces of views along their first dimension.</summary>
    private struct Parts(int size, int step, bool flat, long count)
    {
        private int _next;

        /// <summary>Pieces of elementwise operands: dense ones are cut anywhere, others along the first dimension.</summary>
        public static Parts Of(in View x, in View y)
            => x.IsContiguous && y.IsContiguous && y.Count <= int.MaxValue ? new((int)y.Count, (int)PieceElements, true, y.Count) : Rows(y);

        public static Parts Of(in View a, in View b, in View y) => b.IsContiguous ? Of(a, y) : Rows(y);

        public static Parts Of(in View a, in View b, in View c, in View y) => c.IsContiguous ? Of(a, b, y) : Rows(y);

        public static Parts Of(in View a, in View b, in View c, in View d, in View y) => d.IsContiguous ? Of(a, b, c, y) : Rows(y);

        /// <summary>Whole positions of the first dimension.</summary>
        public static Parts Rows(in View y)
        {
            if (y.Rank == 0 || y.Count == 0) return Whole;
            return new(y.Shape[0], (int)Math.Clamp(PieceElements / (y.Count / y.Shape[0]), 1, y.Shape[0]), false, 0);
        }

        /// <summary>No cut.</summary>
        public static Parts Whole => new(1, 1, false, 0);

        public int At { get; private set; }

        public readonly Parts Current => this;

        public readonly Parts GetEnumerator() => this;

        public bool MoveNext()
        {
            At = _next;
            _next = (int)Math.Min(size, (long)At + step);
            return At < size;
        }

        public readonly View Cut(in View x)
        {
            if (At == 0 && _next == size) return x;
            var from = x;
            if (flat) x.TryReshape([(int)count], out from);
            return from.Narrow(0, At, _next - At);
        }

        public readonly View? Cut(in View? x) => x is { } view ? Cut(view) : null;
    }

    private enum Access
    {
        Read,
        Write,
        Both,
    }

    /// <summary>
    /// The float32 form of a view for the length of a kernel. Its dimensions lie in memory in the view's own order, so transposes stay transposes, and
    /// repeated dimensions stay repeated.
    /// </summary>
    private readonly struct Wide : IDisposable
    {
        private readonly CpuBackend _cpu;
        private readonly View _narrow, _wide;
        private readonly bool _write, _rented;

        public Wide(CpuBackend cpu, in View? view, Access access = Access.Read) : this(cpu, view.GetValueOrDefault(), access)
            => Optional = view is null ? null : View;

        public Wide(CpuBackend cpu, in View view, Access access = Access.Read, bool needed = true)
        {
            _cpu = cpu;
            View = view;
            if (!needed || view.DType != DType.BF16) return;
            Span<int> order = stackalloc int[view.Rank], back = stackalloc int[view.Rank];
            for (int i = 0; i < view.Rank; i++)
            {
                int at = i;
                for (; at > 0 && view.Strides[order[at - 1]] < view.Strides[i]; at--) order[at] = order[at - 1];
                order[at] = i;
            }
            _narrow = view.Permute(order);
            for (int i = 0; i < view.Rank; i++)
            {
                back[order[i]] = i;
                if (_narrow.Strides[i] == 0 && _narrow.Shape[i] > 1) _narrow = _narrow.Narrow(i, 0, 1);
            }
            _rented = true;
            _wide = new View(CpuScratch.Push(cpu.Allocator, _narrow.Count * sizeof(float)), DType.F32, _narrow.Shape);
            _write = access != Access.Read;
            View = _wide.Permute(back).Expand(view.Shape);
            if (access != Access.Write) cpu.Copy(_narrow, _wide);
        }

        public View View { get; }

        /// <summary>The same of an operand that may be missing.</summary>
        public View? Optional { get; }

        public void Dispose()
        {
            if (_write) _cpu.Copy(_wide, _narrow);
            if (_rented) CpuScratch.Pop();
        }
    }
}

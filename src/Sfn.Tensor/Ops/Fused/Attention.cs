using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// softmax(q·kᵀ·scale + mask)·v per head (Vaswani et al. 2017), with grouped queries (Ainslie et al. 2023): q [batch, tq, heads, dim],
    /// k and v [batch, tk, kvHeads, dim]. Query i sees keys up to i + tk − tq if causal. A query that sees no key gives 0.
    /// Keeps the log-sum-exp of the scores, not the scores.
    /// </summary>
    /// <param name="causal">Whether query i sees keys up to i + tk − tq only.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="mode">What may be done to float32 factors, forward and backward.</param>
    public readonly struct Attention(bool causal, float scale, MatMulMode mode = MatMulMode.Float32) : IOp
    {
        /// <inheritdoc/>
        public string Name => "attention";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.B | Keep.C | Keep.D | Keep.Output;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (q, k, v) = (x.A, x.B, x.C!);
            Validate(q, k, v, x.D);
            var y = Tensor.Empty(q.Shape, q.DType, q.Device);
            if (q.Backend is IFlashAttention kernel && kernel.Takes(q.DType))
            {
                extras.A = Tensor.Empty([q.Shape[0], q.Shape[2], q.Shape[1]], q.DType.Wide(), q.Device);
                kernel.Attention(Views(q, k, v, x.D, y, extras.A));
                return y;
            }
            // Wide between the ops; the copy into y rounds once.
            (q, k, v) = (q.To(q.DType.Wide()), k.To(k.DType.Wide()), v.To(v.DType.Wide()));
            var p = Probabilities(q, k, x.D);
            y.Backend.Copy(p.MatMul(Heads(v, q.Shape[2]), mode).Transpose(1, 2).View, y.View);
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var (q, k, v) = (saved.Inputs.A, saved.Inputs.B, saved.Inputs.C!);
            if (saved.ExtraA is { } lse && q.Backend is IFlashAttention kernel)
            {
                var (dq, dk, dv) = (q.EmptyLike(), k.EmptyLike(), v.EmptyLike());
                var g = dy.View.Strides[3] == 1 ? dy : dy.Dense();
                kernel.AttentionGrad(Views(q, k, v, saved.Inputs.D, saved.Output, lse), g.View, dq.View, dk.View, dv.View);
                if (into.Needs(0)) into.Add(0, dq);
                if (into.Needs(1)) into.Add(1, dk);
                if (into.Needs(2)) into.Add(2, dv);
                return;
            }
            int heads = q.Shape[2];
            DType type = q.DType, wide = type.Wide();
            (q, k, v) = (q.To(wide), k.To(wide), v.To(wide));
            var p = Probabilities(q, k, saved.Inputs.D);
            var g4 = dy.To(wide).Transpose(1, 2);
            var dp = g4.MatMul(Heads(v, heads).Transpose(), mode);
            var ds = p * (dp - (p * dp).Sum(-1, keepDim: true)) * (double)scale;
            if (into.Needs(0)) into.Add(0, ds.MatMul(Heads(k, heads), mode).Transpose(1, 2).To(type));
            if (into.Needs(1)) into.Add(1, Grouped(ds.Transpose().MatMul(q.Transpose(1, 2), mode), k).To(type));
            if (into.Needs(2)) into.Add(2, Grouped(p.Transpose().MatMul(g4, mode), v).To(type));
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 4 * y.Count * x.B.Shape[1];

        private void Validate(Tensor q, Tensor k, Tensor v, Tensor? mask)
        {
            Check.Float(q, Name);
            Check.Same(q, k, Name);
            Check.Same(q, v, Name);
            if (q.Rank != 4 || k.Rank != 4 || k.Shape != v.Shape || k.Shape[0] != q.Shape[0] || k.Shape[3] != q.Shape[3])
                throw new ShapeMismatch(
                    $"attention of q {q.Shape}, k {k.Shape}, v {v.Shape}: q is [batch, tq, heads, dim], k and v [batch, tk, kvHeads, dim].");
            if (mask is not null) Check.Together(q, mask, Name);
            if (k.Shape[2] == 0 || q.Shape[2] % k.Shape[2] != 0)
                throw new ShapeMismatch($"attention: {q.Shape[2]} query heads are not a multiple of {k.Shape[2]} key-value heads.");
            if (mask is not null && (mask.DType != DType.Bool || mask.Shape != Shape.Create([k.Shape[0], k.Shape[1]])))
                throw new ShapeMismatch(
                    $"attention: the mask is {mask.DType.Name()} {mask.Shape}; it must be BOOL [{k.Shape[0]}, {k.Shape[1]}], true where a key exists.");
        }

        private AttentionViews Views(Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor y, Tensor lse) => new()
        {
            Q = Dim(q), K = Dim(k), V = Dim(v), O = y.View, Lse = lse.View, Mask = mask?.Dense().View, Scale = scale, Causal = causal, Mode = mode,
        };

        private static View Dim(Tensor x) => x.View.Strides[3] == 1 || x.Shape[3] == 1 ? x.View : x.Dense().View;

        // [batch, tk, kvHeads, dim] as [batch, heads, tk, dim], repeating each kv head for its group.
        private static Tensor Heads(Tensor k, int heads)
        {
            int kv = k.Shape[2], group = heads / kv;
            var y = k.Transpose(1, 2);
            return group == 1 ? y : y.Unsqueeze(2).Expand([k.Shape[0], kv, group, k.Shape[1], k.Shape[3]]).Reshape(k.Shape[0], heads, k.Shape[1], k.Shape[3]);
        }

        private static Tensor Grouped(Tensor g, Tensor k)
        {
            int kv = k.Shape[2], group = g.Shape[1] / kv;
            var y = group == 1 ? g : g.Reshape(k.Shape[0], kv, group, k.Shape[1], k.Shape[3]).Sum(2);
            return y.Transpose(1, 2);
        }

        private Tensor Probabilities(Tensor q, Tensor k, Tensor? mask)
        {
            int tq = q.Shape[1], tk = k.Shape[1], batch = q.Shape[0];
            var scores = q.Transpose(1, 2).MatMul(Heads(k, q.Shape[2]).Transpose(), mode) * (double)scale;
            byte[] seen = new byte[(long)batch * tq * tk];
            byte[]? keys = mask?.To(DType.U8).ToArray<byte>();
            for (int b = 0, i = 0; b < batch; b++)
                for (int t = 0; t < tq; t++)
                    for (int s = 0; s < tk; s++, i++)
                        seen[i] = (!causal || s <= t + tk - tq) && (keys is null || keys[b * tk + s] != 0) ? (byte)1 : (byte)0;
            var visible = Tensor.From(seen, [batch, 1, tq, tk], q.Device);
            var zero = Tensor.Zeros([], q.DType, q.Device);
            // A row without keys would be softmax of -inf only: select 0 instead of its NaN.
            var masked = Tensor.Where(visible, scores, Tensor.Full([], double.NegativeInfinity, q.DType, q.Device));
            return Tensor.Where(visible, masked.Softmax(), zero);
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>
        /// Scaled dot-product attention. q [batch, tq, heads, dim], k and v [batch, tk, kvHeads, dim], mask BOOL [batch, tk] (true: the key exists).
        /// </summary>
        /// <param name="q">Queries.</param>
        /// <param name="k">Keys.</param>
        /// <param name="v">Values.</param>
        /// <param name="causal">Query i sees keys up to i + tk − tq.</param>
        /// <param name="mask">Padding mask.</param>
        /// <param name="scale">Factor on the scores; 1/√dim by default.</param>
        /// <param name="mode">What may be done to float32 factors.</param>
        /// <returns>[batch, tq, heads, dim].</returns>
        public static Tensor Attention(Tensor q, Tensor k, Tensor v, bool causal = true, Tensor? mask = null, float? scale = null,
            MatMulMode mode = MatMulMode.Float32)
            => Op.Run(new Attention(causal, scale ?? 1f / MathF.Sqrt(q.Shape[^1]), mode), q, k, v, mask);
    }
}

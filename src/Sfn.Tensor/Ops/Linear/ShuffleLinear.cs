using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// Two block-diagonal maps with a shuffle after each (BlockShuffle; Wei et al. 2024, section 2, after Monarch, Dao et al. 2022):
    /// h = bd(w1)·x, z[λ, ρ] = h[ρ·l + λ], o[λ, σ] = Σρ w2[λ, σ, ρ]·z[λ, ρ], y[σ·l + λ] = o[λ, σ] with w1 [k, q, p], w2 [l, s, r],
    /// x [.., k·p], y [.., l·s], k·q = l·r. Both shuffles are strides of the products, never passes over memory. Keeps x and z.
    /// </summary>
    /// <param name="mode">What may be done to float32 factors, forward and backward.</param>
    public readonly struct ShuffleLinear(MatMulMode mode = MatMulMode.Float32) : IOp
    {
        /// <inheritdoc/>
        public string Name => "shuffle_linear";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.B | Keep.C;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (input, w1, w2) = (x.A, x.B, x.C!);
            Check.Same(input, w1, Name);
            Check.Same(input, w2, Name);
            if (x.D is not null) Check.Beside(input, x.D, Name);
            Blocks.Check(input, w1, Name);
            int inner = w1.Shape[0] * w1.Shape[1];
            if (w2.Rank != 3 || w2.Shape[0] * w2.Shape[2] != inner)
                throw new ShapeMismatch(
                    $"shuffle_linear: second weight {w2.Shape} must be [l, s, r] with l·r = {inner}, the width of the first weight {w1.Shape}.");
            var z = Tensor.Empty(input.Shape.With(input.Rank - 1, inner), input.DType, input.Device);
            First(RowOps.Matrix(input), w1.View, z, w2.Shape[0], new MatMulSpec { Mode = mode });
            var y = Tensor.Empty(input.Shape.With(input.Rank - 1, w2.Shape[0] * w2.Shape[1]), input.DType, input.Device);
            View? bias = x.D is null ? null : Bias(x.D, w2);
            y.Backend.MatMul(
                Blocks.Of(z, w2.Shape[0]), w2.View.Transpose(1, 2), Blocks.Interleaved(y, w2.Shape[0]), new MatMulSpec { Bias = bias, Mode = mode });
            extras.A = z;
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var (input, w1, w2, z) = (saved.Inputs.A, saved.Inputs.B, saved.Inputs.C!, saved.ExtraA!);
            int k = w1.Shape[0], l = w2.Shape[0];
            var g = Blocks.Interleaved(dy, l);
            if (into.Needs(2))
            {
                var dw2 = into.Target(2, out bool accumulate);
                dw2.Backend.MatMul(g.Transpose(1, 2), Blocks.Of(z, l), dw2.View, new MatMulSpec { Accumulate = accumulate, Mode = mode });
            }
            if (into.Needs(3)) into.Add(3, dy);
            if (!into.Needs(0) && !into.Needs(1)) return;
            // dh[ρ·l + λ] = dz[λ, ρ]: the product writes interleaved columns, so dh comes out in h's own order.
            var dh = z.EmptyLike();
            dh.Backend.MatMul(g, w2.View, Blocks.Interleaved(dh, l), new MatMulSpec { Mode = mode });
            var gh = Blocks.Of(dh, k);
            if (into.Needs(1))
            {
                var dw1 = into.Target(1, out bool accumulate);
                dw1.Backend.MatMul(gh.Transpose(1, 2), Blocks.Of(input, k), dw1.View, new MatMulSpec { Accumulate = accumulate, Mode = mode });
            }
            if (into.Needs(0))
            {
                var dx = into.Target(0, out bool accumulate);
                dx.Backend.MatMul(gh, w1.View, Blocks.Of(dx, k), new MatMulSpec { Accumulate = accumulate, Mode = mode });
            }
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 2 * (x.A.Count * x.B.Shape[1] + y.Count * x.C!.Shape[2]);

        // Writes bd(w1)·x directly in shuffled order. Where l divides q, residue class λ of block κ's rows is a run of q/l columns of z
        // (a batch over κ and λ with strided weight rows); else h is made first and copied in order.
        private static void First(in View x, in View w1, Tensor z, int l, in MatMulSpec spec)
        {
            int k = w1.Shape[0], q = w1.Shape[1], p = w1.Shape[2], rows = x.Shape[0], r = k * q / l;
            var backend = z.Backend;
            var blocks = Split(x, k);
            if (q % l == 0)
            {
                w1.TryReshape([k, q / l, l, p], out var weights);                  // row i·l + λ of block κ
                RowOps.Matrix(z).TryReshape([rows, l, k, q / l], out var runs);    // column λ·r + κ·q/l + i
                backend.MatMul(blocks.Insert(1).Expand([k, l, rows, p]), weights.Permute([0, 2, 3, 1]), runs.Permute([2, 1, 0, 3]), spec);
                return;
            }
            var h = Tensor.Empty([rows, k * q], z.DType, z.Device);
            backend.MatMul(blocks, w1.Transpose(1, 2), Blocks.Of(h, k), spec);
            RowOps.Matrix(z).TryReshape([rows, l, r], out var target);
            h.View.TryReshape([rows, r, l], out var source);
            backend.Copy(source.Transpose(1, 2), target);
        }

        // Output channel σ·l + λ belongs to block λ.
        private static View Bias(Tensor bias, Tensor w2)
        {
            int l = w2.Shape[0], s = w2.Shape[1];
            if (bias.Rank != 1 || bias.Shape[0] != l * s) throw new ShapeMismatch($"shuffle_linear: bias {bias.Shape} must be [{l * s}].");
            bias.Dense().View.TryReshape([s, l], out var split);
            return split.Transpose(0, 1).Insert(1);
        }

        private static View Split(in View x, int k)
        {
            x.TryReshape([x.Shape[0], k, x.Shape[1] / k], out var split);
            return split.Transpose(0, 1);
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>BlockShuffle's map. This [.., k·p], w1 [k, q, p], w2 [l, s, r] with k·q = l·r, bias [l·s] → [.., l·s].</summary>
        public Tensor ShuffleLinear(Tensor w1, Tensor w2, Tensor? bias = null, MatMulMode mode = MatMulMode.Float32)
            => Op.Run(new ShuffleLinear(mode), this, w1, w2, bias);
    }
}

using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// Block-diagonal linear map: y[.., κ·q + j] = Σc W[κ, j, c]·x[.., κ·p + c] with x [.., B·p], W [B, q, p], y [.., B·q]. The blocks are
    /// strided windows of x and y: nothing is reshaped or copied. (Wei et al. 2024, section 2.)
    /// </summary>
    /// <param name="mode">What may be done to float32 factors, forward and backward.</param>
    public readonly struct BlockLinear(MatMulMode mode = MatMulMode.Float32) : IOp
    {
        /// <inheritdoc/>
        public string Name => "block_linear";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.B;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (input, weight) = (x.A, x.B);
            Check.Same(input, weight, Name);
            Blocks.Check(input, weight, Name);
            var y = Tensor.Empty(input.Shape.With(input.Rank - 1, weight.Shape[0] * weight.Shape[1]), input.DType, input.Device);
            y.Backend.MatMul(Blocks.Of(input, weight.Shape[0]), weight.View.Transpose(1, 2), Blocks.Of(y, weight.Shape[0]), new MatMulSpec { Mode = mode });
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var (input, weight) = (saved.Inputs.A, saved.Inputs.B);
            int count = weight.Shape[0];
            var g = Blocks.Of(dy, count);
            if (into.Needs(0))
            {
                var dx = into.Target(0, out bool accumulate);
                dx.Backend.MatMul(g, weight.View, Blocks.Of(dx, count), new MatMulSpec { Accumulate = accumulate, Mode = mode });
            }
            if (into.Needs(1))
            {
                var dw = into.Target(1, out bool accumulate);
                dw.Backend.MatMul(g.Transpose(1, 2), Blocks.Of(input, count), dw.View, new MatMulSpec { Accumulate = accumulate, Mode = mode });
            }
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 2 * y.Count * x.B.Shape[2];
    }

    /// <summary>Windows onto the blocks of a matrix.</summary>
    internal static class Blocks
    {
        /// <summary>[.., blocks·width] seen as [blocks, rows, width].</summary>
        public static View Of(Tensor x, int blocks)
        {
            var rows = RowOps.Matrix(x);
            rows.TryReshape([rows.Shape[0], blocks, rows.Shape[1] / blocks], out var split);
            return split.Transpose(0, 1);
        }

        /// <summary>[.., width·blocks] seen as [blocks, rows, width] with the block index running fastest: element [λ, t, σ] is column σ·blocks + λ.</summary>
        public static View Interleaved(Tensor x, int blocks)
        {
            var rows = RowOps.Matrix(x);
            rows.TryReshape([rows.Shape[0], rows.Shape[1] / blocks, blocks], out var split);
            return split.Permute([2, 0, 1]);
        }

        public static void Check(Tensor x, Tensor weight, string op)
        {
            if (weight.Rank != 3 || x.Rank < 1 || x.Shape[^1] != weight.Shape[0] * weight.Shape[2])
                throw new ShapeMismatch(
                    $"{op} of input {x.Shape} and weight {weight.Shape}: the weight is [blocks, out, in] and the input's last size must be blocks·in.");
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Block-diagonal linear map. This [.., blocks·in], weight [blocks, out, in] → [.., blocks·out].</summary>
        public Tensor BlockLinear(Tensor weight, MatMulMode mode = MatMulMode.Float32) => Op.Run(new BlockLinear(mode), this, weight);
    }
}

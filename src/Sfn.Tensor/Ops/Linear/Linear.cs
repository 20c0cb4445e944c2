using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// y = act(x·Wᵀ + bias) + residual in one pass over the result: x [.., in], W [out, in], bias [out], residual like y.
    /// dx = dy·W, dW = dyᵀ·x, dbias = Σ rows dy, dresidual = dy. An activation is fused only where no gradient is recorded.
    /// </summary>
    /// <param name="activation">Applied between bias and residual.</param>
    /// <param name="mode">What may be done to float32 factors, forward and backward.</param>
    /// <param name="wide">Whether bfloat16 inputs give a float32 result, unrounded: for logits.</param>
    public readonly struct Linear(Activation activation = Activation.None, MatMulMode mode = MatMulMode.Float32, bool wide = false) : IOp
    {
        /// <inheritdoc/>
        public string Name => "linear";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.B;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (input, weight, bias, residual) = (x.A, x.B, x.C, x.D);
            Check.Same(input, weight, Name);
            if (bias is not null) Check.Beside(input, bias, Name);
            if (residual is not null) Check.Same(input, residual, Name);
            if (weight.Rank != 2 || input.Rank < 1 || input.Shape[^1] != weight.Shape[1])
                throw new ShapeMismatch(
                    $"linear of input {input.Shape} and weight {weight.Shape}: the weight is [out, in] and the input's last size must be in.");
            var shape = input.Shape.With(input.Rank - 1, weight.Shape[0]);
            if (bias is not null && (bias.Rank != 1 || bias.Shape[0] != weight.Shape[0]))
                throw new ShapeMismatch($"linear: bias {bias.Shape} for weight {weight.Shape} must be [{weight.Shape[0]}].");
            if (residual is not null && residual.Shape != shape)
                throw new ShapeMismatch($"linear: residual {residual.Shape} must have the result's shape {shape}.");
            var y = Tensor.Empty(shape, wide ? input.DType.Wide() : input.DType, input.Device);
            if (!Products.Rows(input.View, out var rows)) Products.Rows(input.Dense().View, out rows);
            Products.Rows(y.View, out var yRows);
            View? residualRows = null;
            if (residual is not null)
            {
                residual = residual.To(y.DType);
                if (!Products.Rows(residual.View, out var r)) Products.Rows(residual.Dense().View, out r);
                residualRows = r;
            }
            Products.Into(rows, weight.View.Transpose(0, 1), yRows,
                new MatMulSpec { Bias = bias?.Dense().View, Residual = residualRows, Activation = activation, Mode = mode });
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            if (activation != Activation.None)
                throw new NoGradient("linear with a fused activation keeps nothing for a gradient. Apply the activation as an op of its own.");
            var (input, weight) = (saved.Inputs.A, saved.Inputs.B);
            // The products of the gradient have factors of one type; what is wide here is rounded once.
            dy = dy.To(input.DType);
            if (!Products.Rows(dy.View, out var g)) Products.Rows(dy.Dense().View, out g);
            if (into.Needs(0))
            {
                var dx = into.Target(0, out bool accumulate);
                Products.Rows(dx.View, out var dxRows);
                Products.Into(g, weight.View, dxRows, new MatMulSpec { Accumulate = accumulate, Mode = mode });
            }
            if (into.Needs(1))
            {
                if (!Products.Rows(input.View, out var rows)) Products.Rows(input.Dense().View, out rows);
                var dw = into.Target(1, out bool accumulate);
                Products.Into(g.Transpose(0, 1), rows, dw.View, new MatMulSpec { Accumulate = accumulate, Mode = mode });
            }
            if (into.Needs(2)) into.Add(2, dy);
            if (into.Needs(3)) into.Add(3, dy);
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 2 * y.Count * x.A.Shape[^1];
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>x·Wᵀ + bias + residual, with the additions fused into the product. x [.., in], weight [out, in].</summary>
        /// <param name="weight">[out, in], of this tensor's type.</param>
        /// <param name="bias">[out]; may be float32 where the others are bfloat16.</param>
        /// <param name="residual">[.., out].</param>
        /// <param name="mode">What may be done to float32 factors.</param>
        public Tensor Linear(Tensor weight, Tensor? bias = null, Tensor? residual = null, MatMulMode mode = MatMulMode.Float32)
            => Op.Run(new Linear(Activation.None, mode), this, weight, bias, residual);

        /// <summary>act(x·Wᵀ + bias). While a gradient is recorded the activation runs as an op of its own, which keeps what it needs.</summary>
        public Tensor Linear(Tensor weight, Tensor? bias, Activation activation, MatMulMode mode = MatMulMode.Float32)
        {
            if (Op.Recorder is null) return Op.Run(new Linear(activation, mode), this, weight, bias);
            var y = Linear(weight, bias, null, mode);
            return activation switch
            {
                Activation.Gelu => y.Gelu(),
                Activation.Silu => y.Silu(),
                Activation.Relu => y.Relu(),
                _ => y,
            };
        }

        /// <summary>x·Wᵀ as float32 also where x and W are bfloat16: scores that are compared, such as logits. x [.., in], weight [out, in].</summary>
        public Tensor Logits(Tensor weight, MatMulMode mode = MatMulMode.Float32) => Op.Run(new Linear(Activation.None, mode, wide: true), this, weight);
    }
}

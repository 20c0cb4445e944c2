using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// y = (x − mean)/√(var + ε)·weight + bias along the last dimension (Ba et al. 2016), var without Bessel's correction.
    /// Keeps mean and 1/√(var + ε) of each row.
    /// </summary>
    public readonly struct LayerNorm(float epsilon) : IOp
    {
        /// <inheritdoc/>
        public string Name => "layernorm";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.B;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (input, weight, bias) = (x.A, x.B, x.C);
            NormChecks.Check(input, weight, bias, Name);
            extras.A = RowOps.Scalars(input);
            extras.B = RowOps.Scalars(input);
            if (RowOps.Kernels(input) is { } kernels)
            {
                var y = input.EmptyLike();
                var views = new RowViews
                {
                    A = RowOps.Matrix(input), B = RowOps.Repeated(weight, input), C = bias is null ? null : RowOps.Repeated(bias, input),
                    Y = RowOps.Matrix(y), Scalar0 = extras.B.View, Scalar1 = extras.A.View,
                };
                if (bias is null) kernels.Rows(new Rows.LayerNorm<Rows.Weighted>(epsilon), views);
                else kernels.Rows(new Rows.LayerNorm<Rows.WeightedBiased>(epsilon), views);
                return y;
            }
            var wide = input.To(input.DType.Wide());
            var mean = wide.Mean(-1, keepDim: true);
            var centred = wide - mean;
            var rstd = ((centred * centred).Mean(-1, keepDim: true) + epsilon).Rsqrt();
            input.Backend.Copy(mean.Reshape(extras.A.Shape).View, extras.A.View);
            input.Backend.Copy(rstd.Reshape(extras.B.Shape).View, extras.B.View);
            var scaled = centred * rstd * weight.To(wide.DType);
            return (bias is null ? scaled : scaled + bias.To(wide.DType)).To(input.DType);
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var (x, weight) = (saved.Inputs.A, saved.Inputs.B);
            var (mean, rstd) = (saved.ExtraA!, saved.ExtraB!);
            bool weights = into.Needs(1) || into.Needs(2);
            if (RowOps.Kernels(x) is { } kernels)
            {
                if (weights)
                {
                    var dw = Tensor.Empty(weight.Shape, weight.DType.Wide(), weight.Device);
                    var db = Tensor.Empty(weight.Shape, weight.DType.Wide(), weight.Device);
                    kernels.NormWeightGrad(RowOps.Matrix(x), mean.View, rstd.View, RowOps.Matrix(dy), dw.View, db.View, false);
                    if (into.Needs(1)) into.Add(1, dw);
                    if (into.Needs(2)) into.Add(2, db);
                }
                if (!into.Needs(0)) return;
                var dx = dy.EmptyLike();
                kernels.Rows(new Rows.LayerNormBackward<Rows.Weighted>(), new RowViews
                {
                    A = RowOps.Matrix(x), B = RowOps.Repeated(weight, x), C = RowOps.Matrix(dy), Y = RowOps.Matrix(dx),
                    Scalar0 = rstd.View, Scalar1 = mean.View,
                });
                into.Add(0, dx);
                return;
            }
            DType type = x.DType, wide = type.Wide();
            (x, dy, weight) = (x.To(wide), dy.To(wide), weight.To(wide));
            var column = x.Shape.With(x.Rank - 1, 1);
            var normal = (x - mean.Reshape(column)) * rstd.Reshape(column);
            if (into.Needs(1)) into.Add(1, Reductions.SumTo(dy * normal, weight.Shape));
            if (into.Needs(2)) into.Add(2, Reductions.SumTo(dy, weight.Shape));
            var g = dy * weight;
            into.Add(0, ((g - g.Mean(-1, keepDim: true) - normal * (g * normal).Mean(-1, keepDim: true)) * rstd.Reshape(column)).To(type));
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 8 * y.Count;
    }

    /// <summary>y = x/√(mean x² + ε)·weight along the last dimension (Zhang and Sennrich 2019). Keeps 1/√(mean x² + ε) of each row.</summary>
    public readonly struct RmsNorm(float epsilon) : IOp
    {
        /// <inheritdoc/>
        public string Name => "rmsnorm";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.B;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (input, weight) = (x.A, x.B);
            NormChecks.Check(input, weight, null, Name);
            extras.A = RowOps.Scalars(input);
            if (RowOps.Kernels(input) is { } kernels)
            {
                var y = input.EmptyLike();
                kernels.Rows(new Rows.RmsNorm<Rows.Weighted>(epsilon), new RowViews
                {
                    A = RowOps.Matrix(input), B = RowOps.Repeated(weight, input), Y = RowOps.Matrix(y), Scalar0 = extras.A.View,
                });
                return y;
            }
            var wide = input.To(input.DType.Wide());
            var rstd = ((wide * wide).Mean(-1, keepDim: true) + epsilon).Rsqrt();
            input.Backend.Copy(rstd.Reshape(extras.A.Shape).View, extras.A.View);
            return (wide * rstd * weight.To(wide.DType)).To(input.DType);
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var (x, weight, rstd) = (saved.Inputs.A, saved.Inputs.B, saved.ExtraA!);
            if (RowOps.Kernels(x) is { } kernels)
            {
                if (into.Needs(1))
                {
                    var dw = Tensor.Empty(weight.Shape, weight.DType.Wide(), weight.Device);
                    kernels.NormWeightGrad(RowOps.Matrix(x), null, rstd.View, RowOps.Matrix(dy), dw.View, null, false);
                    into.Add(1, dw);
                }
                if (!into.Needs(0)) return;
                var dx = dy.EmptyLike();
                kernels.Rows(new Rows.RmsNormBackward<Rows.Weighted>(), new RowViews
                {
                    A = RowOps.Matrix(x), B = RowOps.Repeated(weight, x), C = RowOps.Matrix(dy), Y = RowOps.Matrix(dx), Scalar0 = rstd.View,
                });
                into.Add(0, dx);
                return;
            }
            DType type = x.DType, wide = type.Wide();
            (x, dy, weight) = (x.To(wide), dy.To(wide), weight.To(wide));
            var column = rstd.Reshape(x.Shape.With(x.Rank - 1, 1));
            var normal = x * column;
            if (into.Needs(1)) into.Add(1, Reductions.SumTo(dy * normal, weight.Shape));
            var g = dy * weight;
            into.Add(0, ((g - normal * (g * normal).Mean(-1, keepDim: true)) * column).To(type));
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 5 * y.Count;
    }

    internal static class NormChecks
    {
        public static void Check(Tensor x, Tensor weight, Tensor? bias, string op)
        {
            Ops.Check.Float(x, op);
            Ops.Check.Beside(x, weight, op);
            if (bias is not null) Ops.Check.Beside(x, bias, op);
            if (x.Rank == 0 || weight.Rank != 1 || weight.Shape[0] != x.Shape[^1])
                throw new ShapeMismatch($"{op} of {x.Shape}: the weight {weight.Shape} must be a vector of the last size.");
            if (x.Shape[^1] == 0) throw new ShapeMismatch($"{op} over an empty last dimension of {x.Shape}.");
            if (bias is not null && bias.Shape != weight.Shape) throw new ShapeMismatch($"{op}: bias {bias.Shape} and weight {weight.Shape} differ.");
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Normalizes the last dimension to mean 0 and variance 1, then scales and shifts. weight and bias [last].</summary>
        public Tensor LayerNorm(Tensor weight, Tensor? bias = null, float epsilon = 1e-5f) => Op.Run(new LayerNorm(epsilon), this, weight, bias);

        /// <summary>Scales the last dimension to a mean square of 1, then by weight [last].</summary>
        public Tensor RmsNorm(Tensor weight, float epsilon = 1e-5f) => Op.Run(new RmsNorm(epsilon), this, weight);
    }
}

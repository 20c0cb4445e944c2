using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = log Σ exp(x) along one dimension, shifted by the maximum so that nothing overflows; dx = dy·exp(x − y).</summary>
    public readonly struct LogSumExp(Axes axes) : IOp
    {
        /// <inheritdoc/>
        public string Name => "logsumexp";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.Output;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            Check.Float(x.A, Name);
            var max = Reductions.Run(new MaxMonoid(), x.A, axes with { Keep = false });
            // A row of -inf (or with +inf) has no finite shift: shift by 0 and let exp and log give ∓inf.
            var shift = Tensor.Where(max.Abs().Less(double.PositiveInfinity), max, Tensor.Zeros([], x.A.DType, x.A.Device));
            var sum = Reductions.Run(new SumMonoid(), (x.A - Reductions.Spread(shift, axes, x.A.Shape)).Exp(), axes with { Keep = false });
            var y = sum.Log() + shift;
            return axes.Keep ? y.Reshape(axes.Left(x.A.Shape, true)) : y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var x = saved.Inputs.A;
            into.Add(0, (x - Reductions.Spread(saved.Output, axes, x.Shape)).Exp() * Reductions.Spread(dy, axes, x.Shape));
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 4 * x.A.Count;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>log Σ exp along one dimension, without overflow.</summary>
        public Tensor LogSumExp(int dim = -1, bool keepDim = false) => Op.Run(new LogSumExp(Axes.One(this, dim, keepDim)), this);
    }
}

using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>Euclidean norm y = √Σx²; dx = dy·x/y, and 0 where y is 0.</summary>
    public readonly struct Norm(Axes axes) : IOp
    {
        /// <inheritdoc/>
        public string Name => "norm";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.Output;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            Check.Float(x.A, Name);
            return Reductions.Run(new SumSquares(), x.A, axes).Sqrt();
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var (x, y) = (saved.Inputs.A, saved.Output);
            var zero = Tensor.Zeros([], x.DType, x.Device);
            var ratio = Tensor.Where(y.EqualTo(zero), zero, dy / y);
            into.Add(0, x * Reductions.Spread(ratio, axes, x.Shape));
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 2 * x.A.Count;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Euclidean norm of all elements, a scalar.</summary>
        public Tensor Norm() => Op.Run(new Norm(Axes.All(Rank)), this);

        /// <summary>Euclidean norm along one dimension.</summary>
        public Tensor Norm(int dim, bool keepDim = false) => Op.Run(new Norm(Axes.One(this, dim, keepDim)), this);
    }
}

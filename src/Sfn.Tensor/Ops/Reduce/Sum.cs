using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = Σ x over the given dimensions; dx = dy, repeated.</summary>
    public readonly struct Sum(Axes axes) : IOp
    {
        /// <inheritdoc/>
        public string Name => "sum";

        /// <inheritdoc/>
        public Keep Keeps => Keep.None;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras) => Reductions.Run(new SumMonoid(), x.A, axes);

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into) => into.Add(0, Reductions.Spread(dy, axes, saved.Inputs.A.Shape));

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => x.A.Count;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Sum of all elements, a scalar.</summary>
        public Tensor Sum() => Op.Run(new Sum(Axes.All(Rank)), this);

        /// <summary>Sum over one dimension.</summary>
        public Tensor Sum(int dim, bool keepDim = false) => Op.Run(new Sum(Axes.One(this, dim, keepDim)), this);

        /// <summary>Sum over several dimensions.</summary>
        public Tensor Sum(ReadOnlySpan<int> dims, bool keepDim = false) => Op.Run(new Sum(Axes.Many(this, dims, keepDim)), this);

        /// <summary>Mean of all elements, a scalar.</summary>
        public Tensor Mean() => Sum() * (1.0 / Count);

        /// <summary>Mean over one dimension.</summary>
        public Tensor Mean(int dim, bool keepDim = false) => Sum(dim, keepDim) * (1.0 / Shape[Shape.Axis(dim)]);
    }
}

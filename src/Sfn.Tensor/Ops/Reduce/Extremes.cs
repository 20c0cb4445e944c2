using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>Largest (or smallest) element over the given dimensions; equal ones share the gradient evenly, as torch's amax does.</summary>
    public readonly struct Extreme<TMonoid>(TMonoid monoid, Axes axes) : IOp where TMonoid : struct, IMonoid
    {
        /// <inheritdoc/>
        public string Name => TMonoid.Name;

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.Output;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            if (x.A.Count == 0) throw new ShapeMismatch($"{Name} of an empty tensor of shape {x.A.Shape}.");
            return Reductions.Run(monoid, x.A, axes);
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var x = saved.Inputs.A;
            var chosen = x.EqualTo(Reductions.Spread(saved.Output, axes, x.Shape)).To(x.DType);
            var share = dy / Reductions.Run(new SumMonoid(), chosen, axes with { Keep = dy.Rank == x.Rank && axes.Keep });
            into.Add(0, chosen * Reductions.Spread(share, axes, x.Shape));
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => x.A.Count;
    }

    /// <summary>Index of the largest element along the last dimension, the first of equals.</summary>
    public readonly struct ArgMax : IOp
    {
        /// <inheritdoc/>
        public string Name => "argmax";

        /// <inheritdoc/>
        public Keep Keeps => Keep.None;

        /// <inheritdoc/>
        public static bool Differentiable => false;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            if (x.A.Shape[^1] == 0) throw new ShapeMismatch($"argmax over an empty dimension of shape {x.A.Shape}.");
            var y = Tensor.Empty(x.A.Shape.Without(x.A.Rank - 1), DType.I32, x.A.Device);
            y.Backend.ArgMax(x.A.View, y.View);
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into) => throw new NoGradient("argmax has no gradient.");
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Largest element, a scalar; NaN if any is NaN.</summary>
        public Tensor Max() => Op.Run(new Extreme<MaxMonoid>(new(), Axes.All(Rank)), this);

        /// <summary>Largest element along one dimension.</summary>
        public Tensor Max(int dim, bool keepDim = false) => Op.Run(new Extreme<MaxMonoid>(new(), Axes.One(this, dim, keepDim)), this);

        /// <summary>Smallest element, a scalar; NaN if any is NaN.</summary>
        public Tensor Min() => Op.Run(new Extreme<MinMonoid>(new(), Axes.All(Rank)), this);

        /// <summary>Smallest element along one dimension.</summary>
        public Tensor Min(int dim, bool keepDim = false) => Op.Run(new Extreme<MinMonoid>(new(), Axes.One(this, dim, keepDim)), this);

        /// <summary>Index of the largest element along one dimension, the first of equals (of NaNs, if there are any); I32, without that dimension.</summary>
        /// <exception cref="ShapeMismatch">There is no such dimension, or it is empty.</exception>
        public Tensor ArgMax(int dim = -1)
        {
            int axis = Shape.Axis(dim);
            if (axis == Rank - 1) return Op.Run(new ArgMax(), this);
            // The other dimensions keep their order: the axis moves to the end, it does not change places with the last one.
            Span<int> order = stackalloc int[Rank];
            for (int i = 0; i < Rank; i++) order[i] = i < axis ? i : i + 1;
            order[^1] = axis;
            return Op.Run(new ArgMax(), Permute(order));
        }
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>1 where a &lt; b (never where either is NaN), else 0. No gradient.</summary>
    public readonly struct Less : IBinary, INotDifferentiable
    {
        /// <inheritdoc/>
        public static string Name => "less";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.None;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L a, L b) where L : struct, ILane<L> => L.IfGreater(b, a, 1.0, 0.0);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => 0.0;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => 0.0;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Where this &lt; other; Bool.</summary>
        public Tensor Less(Tensor other) => Op.Run(new Compare<Less>(new()), this, other);

        /// <summary>Where this &lt; a number; Bool.</summary>
        public Tensor Less(double other) => Less(Scalar(other, DType, Device));
    }
}

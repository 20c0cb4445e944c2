using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>1 where a ≠ b (also where either is NaN), else 0. No gradient.</summary>
    public readonly struct NotEqual : IBinary, INotDifferentiable
    {
        /// <inheritdoc/>
        public static string Name => "not_equal";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.None;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L a, L b) where L : struct, ILane<L> => L.IfEqual(a, b, 0.0, 1.0);

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
        /// <summary>Where this ≠ other; Bool.</summary>
        public Tensor NotEqualTo(Tensor other) => Op.Run(new Compare<NotEqual>(new()), this, other);

        /// <summary>Where this ≠ a number; Bool.</summary>
        public Tensor NotEqualTo(double other) => NotEqualTo(Scalar(other, DType, Device));
    }
}

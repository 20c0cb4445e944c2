using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>1 where a &gt; b (never where either is NaN), else 0. No gradient.</summary>
    public readonly struct Greater : IBinary, INotDifferentiable
    {
        /// <inheritdoc/>
        public static string Name => "greater";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.None;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L a, L b) where L : struct, ILane<L> => L.IfGreater(a, b, 1.0, 0.0);

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
        /// <summary>Where this &gt; other; Bool.</summary>
        public Tensor Greater(Tensor other) => Op.Run(new Compare<Greater>(new()), this, other);

        /// <summary>Where this &gt; a number; Bool.</summary>
        public Tensor Greater(double other) => Greater(Scalar(other, DType, Device));
    }
}

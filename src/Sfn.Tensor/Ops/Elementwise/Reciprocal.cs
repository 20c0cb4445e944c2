using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = 1 / x. dx = −y² dy.</summary>
    public readonly struct Reciprocal : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "reciprocal";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.Output;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => 1.0 / x;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => -(y * y) * dy;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>1/x.</summary>
        public Tensor Reciprocal() => Op.Run(new Map<Reciprocal>(new()), this);

        /// <summary>number/x.</summary>
        public static Tensor operator /(double number, Tensor x) => x.Reciprocal() * number;
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = x². dx = 2x dy.</summary>
    public readonly struct Square : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "square";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => x * x;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => 2.0 * x * dy;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>x².</summary>
        public Tensor Square() => Op.Run(new Map<Square>(new()), this);
    }
}

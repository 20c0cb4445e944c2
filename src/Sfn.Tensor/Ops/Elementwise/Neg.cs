using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = −x.</summary>
    public readonly struct Neg : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "neg";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.None;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => -x;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => -dy;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>−x.</summary>
        public static Tensor operator -(Tensor x) => Op.Run(new Map<Neg>(new()), x);
    }
}

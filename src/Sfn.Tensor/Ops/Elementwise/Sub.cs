using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = a − b. da = dy, db = −dy.</summary>
    public readonly struct Sub : IBinary
    {
        /// <inheritdoc/>
        public static string Name => "sub";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.None;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L a, L b) where L : struct, ILane<L> => a - b;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => dy;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => -dy;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Elementwise difference with broadcasting.</summary>
        public static Tensor operator -(Tensor a, Tensor b) => Op.Run(new Zip<Sub>(new()), a, b);
    }
}

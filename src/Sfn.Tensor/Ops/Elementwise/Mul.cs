using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = a·b. da = b·dy, db = a·dy.</summary>
    public readonly struct Mul : IBinary
    {
        /// <inheritdoc/>
        public static string Name => "mul";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A | Keep.B;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L a, L b) where L : struct, ILane<L> => a * b;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => b * dy;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => a * dy;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Elementwise product with broadcasting.</summary>
        public static Tensor operator *(Tensor a, Tensor b) => Op.Run(new Zip<Mul>(new()), a, b);
    }
}

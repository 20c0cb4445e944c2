using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = a / b. da = dy / b, db = −y·dy / b.</summary>
    public readonly struct Div : IBinary
    {
        /// <inheritdoc/>
        public static string Name => "div";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.B | Keep.Output;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L a, L b) where L : struct, ILane<L> => a / b;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => dy / b;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => -(y * dy) / b;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Elementwise quotient with broadcasting.</summary>
        public static Tensor operator /(Tensor a, Tensor b) => Op.Run(new Zip<Div>(new()), a, b);
    }
}

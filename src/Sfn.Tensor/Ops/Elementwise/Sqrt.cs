using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = √x. dx = dy / (2y).</summary>
    public readonly struct Sqrt : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "sqrt";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.Output;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => L.Sqrt(x);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => 0.5 * dy / y;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Square root.</summary>
        public Tensor Sqrt() => Op.Run(new Map<Sqrt>(new()), this);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = tanh x. dx = (1 − y²) dy.</summary>
    public readonly struct Tanh : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "tanh";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.Output;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => L.Tanh(x);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => dy * (1.0 - y * y);
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Hyperbolic tangent.</summary>
        public Tensor Tanh() => Op.Run(new Map<Tanh>(new()), this);
    }
}

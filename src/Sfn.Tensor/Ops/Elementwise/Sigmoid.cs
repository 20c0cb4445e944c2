using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>Logistic function y = 1 / (1 + e^−x). dx = y (1 − y) dy.</summary>
    public readonly struct Sigmoid : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "sigmoid";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.Output;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => 1.0 / (1.0 + L.Exp(-x));

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => dy * y * (1.0 - y);
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>1/(1 + e^−x).</summary>
        public Tensor Sigmoid() => Op.Run(new Map<Sigmoid>(new()), this);
    }
}

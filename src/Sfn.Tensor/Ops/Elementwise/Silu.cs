using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// Sigmoid linear unit (swish): y = x·sigmoid(x). dx = s (1 + x (1 − s)) dy with s = sigmoid(x).
    /// Elfwing, Uchibe and Doya 2017 (arXiv 1702.03118).
    /// </summary>
    public readonly struct Silu : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "silu";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => x / (1.0 + L.Exp(-x));

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L>
        {
            L s = 1.0 / (1.0 + L.Exp(-x));
            return dy * (s + x * s * (1.0 - s));
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>x·sigmoid(x).</summary>
        public Tensor Silu() => Op.Run(new Map<Silu>(new()), this);
    }
}

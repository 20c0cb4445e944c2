using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = 1 / √x. dx = −½ y³ dy.</summary>
    public readonly struct Rsqrt : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "rsqrt";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.Output;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => 1.0 / L.Sqrt(x);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => -0.5 * dy * (y * y * y);
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>1/√x.</summary>
        public Tensor Rsqrt() => Op.Run(new Map<Rsqrt>(new()), this);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = e^x. dx = y·dy.</summary>
    public readonly struct Exp : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "exp";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.Output;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => L.Exp(x);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => y * dy;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>e^x.</summary>
        public Tensor Exp() => Op.Run(new Map<Exp>(new()), this);
    }
}

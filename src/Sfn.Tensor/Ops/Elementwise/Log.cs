using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = ln x. dx = dy / x.</summary>
    public readonly struct Log : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "log";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => L.Log(x);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => dy / x;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Natural logarithm.</summary>
        public Tensor Log() => Op.Run(new Map<Log>(new()), this);
    }
}

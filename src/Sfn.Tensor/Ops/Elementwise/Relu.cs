using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = max(x, 0). dx = dy where x &gt; 0; 0 at zero, as in torch.</summary>
    public readonly struct Relu : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "relu";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.Output;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => L.Max(x, 0.0);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => L.IfEqual(y, 0.0, 0.0, dy);
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>max(x, 0).</summary>
        public Tensor Relu() => Op.Run(new Map<Relu>(new()), this);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = |x|. dx = sign(x) dy; 0 at zero.</summary>
    public readonly struct Abs : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "abs";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => L.Abs(x);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => L.IfGreater(x, 0.0, dy, L.IfGreater(0.0, x, -dy, x * dy));
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>|x|.</summary>
        public Tensor Abs() => Op.Run(new Map<Abs>(new()), this);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = min(max(x, low), high). dx = dy where low ≤ x ≤ high, also at the bounds, as in torch.</summary>
    /// <param name="low">The least result.</param>
    /// <param name="high">The greatest result.</param>
    public readonly struct Clamp(float low, float high) : IUnary
    {
        /// <summary>The least result.</summary>
        public readonly float Low = low;

        /// <summary>The greatest result.</summary>
        public readonly float High = high;

        /// <inheritdoc/>
        public static string Name => "clamp";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => L.Min(L.Max(x, Low), High);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L>
        {
            L belowHigh = L.IfGreater(High, x, dy, L.IfEqual(x, High, dy, 0.0));
            return L.IfGreater(x, Low, belowHigh, L.IfEqual(x, Low, belowHigh, 0.0));
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Values below <paramref name="low"/> or above <paramref name="high"/> replaced by the bound.</summary>
        public Tensor Clamp(float low, float high) => Op.Run(new Map<Clamp>(new(low, high)), this);
    }
}

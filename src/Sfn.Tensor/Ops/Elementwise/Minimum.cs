using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = min(a, b). The gradient goes to the smaller, half to each where they are equal, as in torch.</summary>
    public readonly struct Minimum : IBinary
    {
        /// <inheritdoc/>
        public static string Name => "minimum";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A | Keep.B;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L a, L b) where L : struct, ILane<L> => L.Min(a, b);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => L.IfGreater(a, b, 0.0, L.IfEqual(a, b, 0.5 * dy, dy));

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => L.IfGreater(b, a, 0.0, L.IfEqual(a, b, 0.5 * dy, dy));
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>The smaller of both, elementwise; NaN if either is.</summary>
        public Tensor Minimum(Tensor other) => Op.Run(new Zip<Minimum>(new()), this, other);
    }
}

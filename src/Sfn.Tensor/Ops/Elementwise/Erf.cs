using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>Error function y = 2/√π ∫₀ˣ e^−t² dt. dx = 2/√π e^−x² dy.</summary>
    public readonly struct Erf : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "erf";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => L.Erf(x);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => dy * (1.1283791670955126 * L.Exp(-x * x));
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Error function.</summary>
        public Tensor Erf() => Op.Run(new Map<Erf>(new()), this);
    }
}

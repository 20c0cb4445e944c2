using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// Gaussian error linear unit, exact form: y = x Φ(x), Φ(x) = ½ (1 + erf(x/√2)). dx = (Φ(x) + x φ(x)) dy, φ(x) = e^(−x²/2) / √(2π).
    /// Hendrycks and Gimpel 2016 (arXiv 1606.08415).
    /// </summary>
    public readonly struct GeluErf : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "gelu_erf";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => 0.5 * x * (1.0 + L.Erf(0.7071067811865476 * x));

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> =>
            dy * (0.5 + 0.5 * L.Erf(0.7071067811865476 * x) + x * (0.3989422804014327 * L.Exp(-0.5 * x * x)));
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Gaussian error linear unit, exact form with erf.</summary>
        public Tensor GeluErf() => Op.Run(new Map<GeluErf>(new()), this);
    }
}

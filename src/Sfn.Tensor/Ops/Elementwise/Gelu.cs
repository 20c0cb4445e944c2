using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// Gaussian error linear unit, tanh form: y = ½ x (1 + tanh u) with u = √(2/π) (x + 0.044715 x³), computed as x·sigmoid(2u).
    /// dx = s (1 + x (1 − s) 2u') dy with s = sigmoid(2u). Hendrycks and Gimpel 2016 (arXiv 1606.08415).
    /// </summary>
    public readonly struct Gelu : IUnary
    {
        /// <inheritdoc/>
        public static string Name => "gelu";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => x / (1.0 + L.Exp(-1.5957691216057308 * x * (1.0 + 0.044715 * (x * x))));

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L>
        {
            // Beyond |x| = 20 the sigmoid is exactly 0 or 1; the bound keeps x² finite, so that 0 · ∞ cannot arise.
            L x2 = L.Min(x * x, 400.0);
            L s = 1.0 / (1.0 + L.Exp(-1.5957691216057308 * x * (1.0 + 0.044715 * x2)));
            return dy * (s + x * s * ((1.0 - s) * (1.5957691216057308 * (1.0 + 0.134145 * x2))));
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Gaussian error linear unit, tanh form.</summary>
        public Tensor Gelu() => Op.Run(new Map<Gelu>(new()), this);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// y = x^p for a fixed exponent p. Whole and half exponents are products and a square root; others are exp(p·ln x), NaN for x &lt; 0.
    /// dx = p x^(p−1) dy.
    /// </summary>
    /// <param name="exponent">The exponent p.</param>
    public readonly struct Pow(float exponent) : IUnary
    {
        /// <summary>The exponent p.</summary>
        public readonly float Exponent = exponent;

        /// <inheritdoc/>
        public static string Name => "pow";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => Raise(x, Exponent);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L>
        {
            if (Exponent == 0) return 0.0 * dy;
            return Exponent * dy * Raise(x, Exponent - 1);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static L Raise<L>(L x, float exponent) where L : struct, ILane<L>
        {
            float size = exponent < 0 ? -exponent : exponent;
            int halves = size <= 1 << 22 ? (int)(2 * size) : 0;
            if (halves != 2 * size) return L.Exp(exponent * L.Log(x));
            L y = (halves & 1) != 0 ? L.Sqrt(x) : 1.0;
            L square = x;
            for (int n = halves >> 1; n != 0; n >>= 1)
            {
                if ((n & 1) != 0) y *= square;
                square *= square;
            }
            return exponent < 0 ? 1.0 / y : y;
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>x^exponent for a number; whole and half exponents are exact products and roots.</summary>
        public Tensor Pow(float exponent) => Op.Run(new Map<Pow>(new(exponent)), this);
    }
}

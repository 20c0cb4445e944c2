using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// y = a^b as exp(b·ln|a|), with the cases of IEEE 754 pow: 1 for b = 0 and for a = 1, a negative base needs a whole exponent.
    /// da = b a^(b−1) dy, db = y ln a dy (0 where y = 0).
    /// </summary>
    public readonly struct PowBinary : IBinary
    {
        /// <inheritdoc/>
        public static string Name => "pow_binary";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A | Keep.B | Keep.Output;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L a, L b) where L : struct, ILane<L> => Raise(a, b);

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => L.IfEqual(b, 0.0, 0.0, dy * b * Raise(a, b - 1.0));

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => L.IfEqual(y, 0.0, 0.0, dy * y * L.Log(a));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static L Raise<L>(L a, L b) where L : struct, ILane<L>
        {
            L size = L.Exp(b * L.Log(L.Abs(a)));
            L odd = L.IfEqual(L.Floor(0.5 * b), 0.5 * b, size, -size);
            L y = L.IfGreater(0.0, a, L.IfEqual(L.Floor(b), b, odd, double.NaN), size);
            return L.IfEqual(b, 0.0, 1.0, L.IfEqual(a, 1.0, 1.0, y));
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>x^exponent, elementwise.</summary>
        public Tensor Pow(Tensor exponent) => Op.Run(new Zip<PowBinary>(new()), this, exponent);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// y = silu(a)·b, the gate of SwiGLU feedforward layers. With s = sigmoid(a): da = s (1 + a (1 − s)) b dy, db = a s dy.
    /// Shazeer 2020 (arXiv 2002.05202).
    /// </summary>
    public readonly struct SwiGlu : IBinary
    {
        /// <inheritdoc/>
        public static string Name => "swiglu";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.A | Keep.B;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L a, L b) where L : struct, ILane<L> => a / (1.0 + L.Exp(-a)) * b;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L>
        {
            L s = 1.0 / (1.0 + L.Exp(-a));
            return dy * b * (s + a * s * (1.0 - s));
        }

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => a / (1.0 + L.Exp(-a)) * dy;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>silu(this)·value: the gated activation of Shazeer 2020.</summary>
        public Tensor SwiGlu(Tensor value) => Op.Run(new Zip<SwiGlu>(new()), this, value);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = c·x. dx = c·dy.</summary>
    /// <param name="factor">The factor c.</param>
    public readonly struct Scale(float factor) : IUnary
    {
        /// <summary>The factor c.</summary>
        public readonly float Factor = factor;

        /// <inheritdoc/>
        public static string Name => "scale";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.None;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => Factor * x;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => Factor * dy;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>x·number.</summary>
        public static Tensor operator *(Tensor x, double number)
            => x.DType == DType.F64 ? x * Scalar(number, DType.F64, x.Device) : Op.Run(new Map<Scale>(new((float)number)), x);

        /// <summary>number·x.</summary>
        public static Tensor operator *(double number, Tensor x) => x * number;

        /// <summary>x/number.</summary>
        public static Tensor operator /(Tensor x, double number) => x * (1 / number);
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = x + c. dx = dy.</summary>
    /// <param name="offset">The term c.</param>
    public readonly struct Shift(float offset) : IUnary
    {
        /// <summary>The term c.</summary>
        public readonly float Offset = offset;

        /// <inheritdoc/>
        public static string Name => "shift";

        /// <inheritdoc/>
        public static Keep Keeps => Keep.None;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => x + Offset;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => dy;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>x + number.</summary>
        public static Tensor operator +(Tensor x, double number)
            => x.DType == DType.F64 ? x + Scalar(number, DType.F64, x.Device) : Op.Run(new Map<Shift>(new((float)number)), x);

        /// <summary>number + x.</summary>
        public static Tensor operator +(double number, Tensor x) => x + number;

        /// <summary>x − number.</summary>
        public static Tensor operator -(Tensor x, double number) => x + -number;

        /// <summary>number − x.</summary>
        public static Tensor operator -(double number, Tensor x) => -x + number;
    }
}

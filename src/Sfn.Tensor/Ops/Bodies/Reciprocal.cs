using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>y = 1 / x. dx = −y² dy.</summary>
public readonly struct Reciprocal : IUnary
{
    /// <inheritdoc/>
    public static string Name => "reciprocal";

    /// <inheritdoc/>
    public static Keep Keeps => Keep.Output;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Forward<L>(L x) where L : struct, ILane<L> => 1.0 / x;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => -(y * y) * dy;
}

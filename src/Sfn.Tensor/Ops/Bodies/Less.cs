using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>1 where a &lt; b (never where either is NaN), else 0. No gradient.</summary>
public readonly struct Less : IBinary, INotDifferentiable
{
    /// <inheritdoc/>
    public static string Name => "less";

    /// <inheritdoc/>
    public static Keep Keeps => Keep.None;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Forward<L>(L a, L b) where L : struct, ILane<L> => L.IfGreater(b, a, 1.0, 0.0);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => 0.0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => 0.0;
}

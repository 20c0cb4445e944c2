using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>1 where a &gt; b (never where either is NaN), else 0. No gradient.</summary>
public readonly struct Greater : IBinary, INotDifferentiable
{
    /// <inheritdoc/>
    public static string Name => "greater";

    /// <inheritdoc/>
    public static Keep Keeps => Keep.None;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Forward<L>(L a, L b) where L : struct, ILane<L> => L.IfGreater(a, b, 1.0, 0.0);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => 0.0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => 0.0;
}

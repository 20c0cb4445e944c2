using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>y = a + b. da = dy, db = dy.</summary>
public readonly struct Add : IBinary
{
    /// <inheritdoc/>
    public static string Name => "add";

    /// <inheritdoc/>
    public static Keep Keeps => Keep.None;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Forward<L>(L a, L b) where L : struct, ILane<L> => a + b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => dy;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => dy;
}

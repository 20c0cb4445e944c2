using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops;

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

using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops;

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

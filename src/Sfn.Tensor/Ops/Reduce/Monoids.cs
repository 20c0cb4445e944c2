using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>Σ x.</summary>
public readonly struct SumMonoid : IMonoid
{
    /// <inheritdoc/>
    public static string Name => "sum";

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Identity<L>() where L : struct, ILane<L> => 0.0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Map<L>(L x) where L : struct, ILane<L> => x;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Combine<L>(L a, L b) where L : struct, ILane<L> => a + b;
}

/// <summary>Σ x².</summary>
public readonly struct SumSquares : IMonoid
{
    /// <inheritdoc/>
    public static string Name => "sum_squares";

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Identity<L>() where L : struct, ILane<L> => 0.0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Map<L>(L x) where L : struct, ILane<L> => x * x;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Combine<L>(L a, L b) where L : struct, ILane<L> => a + b;
}

/// <summary>The largest; −∞ of nothing.</summary>
public readonly struct MaxMonoid : IMonoid
{
    /// <inheritdoc/>
    public static string Name => "max";

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Identity<L>() where L : struct, ILane<L> => double.NegativeInfinity;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Map<L>(L x) where L : struct, ILane<L> => x;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Combine<L>(L a, L b) where L : struct, ILane<L> => L.Max(a, b);
}

/// <summary>The smallest; +∞ of nothing.</summary>
public readonly struct MinMonoid : IMonoid
{
    /// <inheritdoc/>
    public static string Name => "min";

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Identity<L>() where L : struct, ILane<L> => double.PositiveInfinity;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Map<L>(L x) where L : struct, ILane<L> => x;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Combine<L>(L a, L b) where L : struct, ILane<L> => L.Min(a, b);
}

/// <summary>The largest |x|; 0 of nothing.</summary>
public readonly struct AbsMax : IMonoid
{
    /// <inheritdoc/>
    public static string Name => "abs_max";

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Identity<L>() where L : struct, ILane<L> => 0.0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Map<L>(L x) where L : struct, ILane<L> => L.Abs(x);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Combine<L>(L a, L b) where L : struct, ILane<L> => L.Max(a, b);
}

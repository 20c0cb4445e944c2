using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops.Rows;

/// <summary>What a norm does after normalizing: a type, so that a norm without weights reads none. Weight is input b, bias input c.</summary>
public interface INormAffine
{
    /// <summary>The output of the normalized value.</summary>
    static abstract L Apply<L, TAt>(L normal, TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L>;

    /// <summary>The gradient by the normalized value.</summary>
    static abstract L Gradient<L, TAt>(L dy, TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L>;
}

/// <summary>Neither weight nor bias.</summary>
public readonly struct NoAffine : INormAffine
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Apply<L, TAt>(L normal, TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => normal;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Gradient<L, TAt>(L dy, TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => dy;
}

/// <summary>A weight.</summary>
public readonly struct Weighted : INormAffine
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Apply<L, TAt>(L normal, TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => normal * at.B;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Gradient<L, TAt>(L dy, TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => dy * at.B;
}

/// <summary>A weight and a bias.</summary>
public readonly struct WeightedBiased : INormAffine
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Apply<L, TAt>(L normal, TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => L.Fma(normal, at.B, at.C);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Gradient<L, TAt>(L dy, TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => dy * at.B;
}

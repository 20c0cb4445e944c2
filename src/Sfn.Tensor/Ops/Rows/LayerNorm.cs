using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops.Rows;

/// <summary>
/// y = (x − mean) rstd·w + b along the row, rstd = 1 / √(variance + ε). Inputs a = x, b = weight, c = bias; keeps scalars 0 = rstd, 1 = mean.
/// Ba, Kiros and Hinton 2016 (arXiv 1607.06450).
/// </summary>
/// <param name="epsilon">Added to the variance before the square root.</param>
/// <typeparam name="TAffine">Which of weight and bias the norm has.</typeparam>
public readonly struct LayerNorm<TAffine>(float epsilon) : IRow where TAffine : struct, INormAffine
{
    /// <summary>Added to the variance before the square root.</summary>
    public readonly float Epsilon = epsilon;

    /// <inheritdoc/>
    public static string Name => "layer_norm";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        float mean = row.Reduce(new SumMonoid(), new InputA()) / row.Length;
        float variance = row.Reduce(new SumSquares(), new Centred(mean)) / row.Length;
        float rstd = 1 / row.Sqrt(variance + Epsilon);
        row.StoreScalar(0, rstd);
        row.StoreScalar(1, mean);
        row.Store(new Normalized<TAffine>(mean, rstd));
    }
}

/// <summary>
/// dx = rstd (g − mean(g) − x̂ mean(g·x̂)), g = dy·w, x̂ = (x − mean) rstd. Inputs a = x, b = weight, c = dy; scalars 0 = rstd, 1 = mean.
/// </summary>
/// <typeparam name="TAffine">Which of weight and bias the norm has.</typeparam>
public readonly struct LayerNormBackward<TAffine> : IRow where TAffine : struct, INormAffine
{
    /// <inheritdoc/>
    public static string Name => "layer_norm_backward";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        float rstd = row.Scalar(0), mean = row.Scalar(1);
        float g = row.Reduce(new SumMonoid(), new NormGradient<TAffine>()) / row.Length;
        float gx = row.Reduce(new SumMonoid(), new NormGradientTimesX<TAffine>(mean, rstd)) / row.Length;
        row.Store(new NormInputGradient<TAffine>(mean, rstd, g, gx));
    }
}

/// <summary>a − mean.</summary>
internal readonly struct Centred(float mean) : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => at.A - mean;
}

/// <summary>The normalized input with the affine map.</summary>
internal readonly struct Normalized<TAffine>(float mean, float rstd) : IRowBody where TAffine : struct, INormAffine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => TAffine.Apply<L, TAt>((at.A - mean) * rstd, at);
}

/// <summary>g = dy·w.</summary>
internal readonly struct NormGradient<TAffine> : IRowBody where TAffine : struct, INormAffine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => TAffine.Gradient<L, TAt>(at.C, at);
}

/// <summary>g·x̂.</summary>
internal readonly struct NormGradientTimesX<TAffine>(float mean, float rstd) : IRowBody where TAffine : struct, INormAffine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => TAffine.Gradient<L, TAt>(at.C, at) * ((at.A - mean) * rstd);
}

/// <summary>rstd (g − mean(g) − x̂ mean(g·x̂)).</summary>
internal readonly struct NormInputGradient<TAffine>(float mean, float rstd, float g, float gx) : IRowBody where TAffine : struct, INormAffine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> =>
        rstd * (TAffine.Gradient<L, TAt>(at.C, at) - g - (at.A - mean) * rstd * gx);
}

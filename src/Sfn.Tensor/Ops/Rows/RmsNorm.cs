using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops.Rows;

/// <summary>
/// y = x·rstd·w + b along the row, rstd = 1 / √(mean(x²) + ε). Inputs a = x, b = weight, c = bias; keeps scalar 0 = rstd.
/// Zhang and Sennrich 2019 (arXiv 1910.07467).
/// </summary>
/// <param name="epsilon">Added to the variance before the square root.</param>
/// <typeparam name="TAffine">Which of weight and bias the norm has.</typeparam>
public readonly struct RmsNorm<TAffine>(float epsilon) : IRow where TAffine : struct, INormAffine
{
    /// <summary>Added to the variance before the square root.</summary>
    public readonly float Epsilon = epsilon;

    /// <inheritdoc/>
    public static string Name => "rms_norm";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        float square = row.Reduce(new SumSquares(), new InputA()) / row.Length;
        float rstd = 1 / row.Sqrt(square + Epsilon);
        row.StoreScalar(0, rstd);
        row.Store(new RmsNormalized<TAffine>(rstd));
    }
}

/// <summary>dx = rstd (g − x̂ mean(g·x̂)), g = dy·w, x̂ = x·rstd. Inputs a = x, b = weight, c = dy; scalar 0 = rstd.</summary>
/// <typeparam name="TAffine">Which of weight and bias the norm has.</typeparam>
public readonly struct RmsNormBackward<TAffine> : IRow where TAffine : struct, INormAffine
{
    /// <inheritdoc/>
    public static string Name => "rms_norm_backward";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        float rstd = row.Scalar(0);
        float gx = row.Reduce(new SumMonoid(), new RmsGradientTimesX<TAffine>(rstd)) / row.Length;
        row.Store(new RmsInputGradient<TAffine>(rstd, gx));
    }
}

/// <summary>The normalized input with the affine map.</summary>
internal readonly struct RmsNormalized<TAffine>(float rstd) : IRowBody where TAffine : struct, INormAffine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => TAffine.Apply<L, TAt>(at.A * rstd, at);
}

/// <summary>g·x̂.</summary>
internal readonly struct RmsGradientTimesX<TAffine>(float rstd) : IRowBody where TAffine : struct, INormAffine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => TAffine.Gradient<L, TAt>(at.C, at) * (at.A * rstd);
}

/// <summary>rstd (g − x̂ mean(g·x̂)).</summary>
internal readonly struct RmsInputGradient<TAffine>(float rstd, float gx) : IRowBody where TAffine : struct, INormAffine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => rstd * (TAffine.Gradient<L, TAt>(at.C, at) - at.A * rstd * gx);
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops.Rows;

/// <summary>ln Σ e^x of the row, kept as scalar 0. Input a = x. A row of −∞ gives −∞.</summary>
public readonly struct LogSumExp : IRow
{
    /// <inheritdoc/>
    public static string Name => "logsumexp";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        float max = row.Reduce(new MaxMonoid(), new InputA());
        // An infinite maximum must not be taken off: ∞ − ∞ is NaN.
        float shift = max == float.PositiveInfinity || max == float.NegativeInfinity ? 0 : max;
        row.StoreScalar(0, shift + row.Log(row.Reduce(new SumMonoid(), new ExpMinus(shift))));
    }
}

/// <summary>dx = e^(x − lse) dlse. Input a = x, scalars 0 = lse, 1 = dlse.</summary>
public readonly struct LogSumExpBackward : IRow
{
    /// <inheritdoc/>
    public static string Name => "logsumexp_backward";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        row.Store(new ScaledExp(row.Scalar(0), row.Scalar(1)));
    }
}

/// <summary>e^(a − shift)·factor.</summary>
internal readonly struct ScaledExp(float shift, float factor) : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => L.Exp(at.A - shift) * factor;
}

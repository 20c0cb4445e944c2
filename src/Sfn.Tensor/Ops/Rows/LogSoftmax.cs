using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops.Rows;

/// <summary>y = x − max − ln Σ e^(x − max) along the row. Input a = x.</summary>
public readonly struct LogSoftmax : IRow
{
    /// <inheritdoc/>
    public static string Name => "log_softmax";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        float max = row.Reduce(new MaxMonoid(), new InputA());
        float sum = row.Reduce(new SumMonoid(), new ExpMinus(max));
        row.Store(new MinusTwo(max, row.Log(sum)));
    }
}

/// <summary>dx = dy − e^y Σ dy. Inputs a = y, b = dy.</summary>
public readonly struct LogSoftmaxBackward : IRow
{
    /// <inheritdoc/>
    public static string Name => "log_softmax_backward";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        float sum = row.Reduce(new SumMonoid(), new InputB());
        row.Store(new LogSoftmaxGradient(sum));
    }
}

/// <summary>a − first − second, in this order: the large terms cancel before the small one is taken off.</summary>
internal readonly struct MinusTwo(float first, float second) : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => at.A - first - second;
}

/// <summary>b − e^a·sum.</summary>
internal readonly struct LogSoftmaxGradient(float sum) : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => at.B - L.Exp(at.A) * sum;
}

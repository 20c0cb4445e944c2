using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops.Rows;

/// <summary>y = e^(x − max) / Σ e^(x − max) along the row. Input a = x.</summary>
public readonly struct Softmax : IRow
{
    /// <inheritdoc/>
    public static string Name => "softmax";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        float max = row.Reduce(new MaxMonoid(), new InputA());
        float sum = row.StoreReduce(new SumMonoid(), new ExpMinus(max));
        row.Store(new ScaleOutput(1 / sum));
    }
}

/// <summary>dx = y (dy − Σ y·dy). Inputs a = y, b = dy.</summary>
public readonly struct SoftmaxBackward : IRow
{
    /// <inheritdoc/>
    public static string Name => "softmax_backward";

    /// <inheritdoc/>
    public void Run<W>(ref W row) where W : struct, IRowWalker
    {
        float dot = row.Reduce(new SumMonoid(), new ProductAB());
        row.Store(new SoftmaxGradient(dot));
    }
}

/// <summary>a (b − dot).</summary>
internal readonly struct SoftmaxGradient(float dot) : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => at.A * (at.B - dot);
}

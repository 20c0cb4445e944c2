using Sfn.Kernels;

namespace Sfn.Tests.Lanes;

/// <summary>A unary body made wrong on purpose: the harness must reject it.</summary>
public readonly struct Wrong<TOp>(TOp op, double forward, double backward) : IUnary where TOp : struct, IUnary
{
    public static string Name => "wrong " + TOp.Name;

    public static Keep Keeps => TOp.Keeps;

    public L Forward<L>(L x) where L : struct, ILane<L> => L.Of(forward) * op.Forward(x);

    public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => L.Of(backward) * op.Backward(x, y, dy);
}

/// <summary>A binary body made wrong on purpose, in one of its three parts.</summary>
public readonly struct WrongBinary<TOp>(TOp op, double forward, double backwardA, double backwardB) : IBinary where TOp : struct, IBinary
{
    public static string Name => "wrong " + TOp.Name;

    public static Keep Keeps => TOp.Keeps;

    public L Forward<L>(L a, L b) where L : struct, ILane<L> => L.Of(forward) * op.Forward(a, b);

    public L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => L.Of(backwardA) * op.BackwardA(a, b, y, dy);

    public L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L> => L.Of(backwardB) * op.BackwardB(a, b, y, dy);
}

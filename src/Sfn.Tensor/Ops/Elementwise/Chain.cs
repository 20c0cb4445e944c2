using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>
/// Two ops in one pass: y = B(A(x)). The gradient computes A(x) again instead of keeping it, so fuse cheap bodies only: the price of a long chain
/// grows with the square of its length.
/// </summary>
/// <param name="first">The op applied first.</param>
/// <param name="second">The op applied to its result.</param>
/// <typeparam name="A">The op applied first.</typeparam>
/// <typeparam name="B">The op applied to its result.</typeparam>
public readonly struct Chain<A, B>(A first, B second) : IUnary where A : struct, IUnary where B : struct, IUnary
{
    /// <summary>The op applied first.</summary>
    public readonly A First = first;

    /// <summary>The op applied to its result.</summary>
    public readonly B Second = second;

    /// <inheritdoc/>
    public static string Name => A.Name + "+" + B.Name;

    /// <inheritdoc/>
    public static Keep Keeps => Keep.A | (B.Keeps & Keep.Output);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Forward<L>(L x) where L : struct, ILane<L> => Second.Forward(First.Forward(x));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L>
    {
        L middle = First.Forward(x);
        return First.Backward(x, middle, Second.Backward(middle, y, dy));
    }
}

using System.Runtime.CompilerServices;
using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// y = f(a, b) four at a time along the innermost dimension, along which each operand lies densely or repeats one element: covers equal shapes,
/// rows (a bias) and scalars. Sizes count quads.
/// </summary>
internal readonly struct ZipQuads<TOp, S, Q> : IKernel
    where TOp : struct, IBinary where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
{
    public static string Name => $"zip_{TOp.Name}_{S.Name}x4";

    public static Delegate Body => (Action<TOp, Sizes, int, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps>)Run;

    private static void Run(TOp op, Sizes sizes, int count, ArrayView<S> a, Steps sa, ArrayView<S> b, Steps sb, ArrayView<S> y, Steps sy)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        long oa = sa.At(p), ob = sb.At(p), oy = sy.At(p);
        if (i * 4 + 4 <= count)
        {
            Q qa = Quads.Load<S, Q>(a, oa, sa.S0), qb = Quads.Load<S, Q>(b, ob, sb.S0);
            y.Cast<Q>()[oy >> 2] = Q.Of(op.Forward(Q.A(qa), Q.A(qb)), op.Forward(Q.B(qa), Q.B(qb)), op.Forward(Q.C(qa), Q.C(qb)), op.Forward(Q.D(qa), Q.D(qb)));
            return;
        }
        // Only a one-dimensional walk ends within a quad.
        int left = count - i * 4;
        for (int e = 0; e < left; e++)
            y[oy + e] = S.Store(op.Forward(S.Load(a[sa.S0 == 0 ? oa : oa + e]), S.Load(b[sb.S0 == 0 ? ob : ob + e])));
    }
}

/// <summary>Loads of four elements.</summary>
internal static class Quads
{
    /// <summary>Four neighbours, or one element four times where the step along the innermost dimension is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Q Load<S, Q>(ArrayView<S> view, long at, long step) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        if (step != 0) return view.Cast<Q>()[at >> 2];
        G1 one = S.Load(view[at]);
        return Q.Of(one, one, one, one);
    }
}

/// <summary>y = f(a, b), any strides; y may be a comparison's bool.</summary>
internal readonly struct ZipStrided<TOp, S, T> : IKernel
    where TOp : struct, IBinary where S : unmanaged, IElement<S> where T : unmanaged, IElement<T>
{
    public static bool IsLaunched => typeof(S) != typeof(I32) && (typeof(T) == typeof(S) || typeof(T) == typeof(B8));

    public static string Name => $"zip_{TOp.Name}_{S.Name}_{T.Name}";

    public static Delegate Body => (Action<TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<T>, Steps>)Run;

    private static void Run(TOp op, Sizes sizes, ArrayView<S> a, Steps sa, ArrayView<S> b, Steps sb, ArrayView<T> y, Steps sy)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        y[sy.At(p)] = T.Store(op.Forward(S.Load(a[sa.At(p)]), S.Load(b[sb.At(p)])));
    }
}

/// <summary>y = f(a, b) in float64, any strides.</summary>
internal readonly struct ZipWide<TOp, S, T> : IKernel
    where TOp : struct, IBinary where S : unmanaged, IWideElement<S> where T : unmanaged, IWideElement<T>
{
    public static bool IsLaunched => (typeof(S) == typeof(F64) || typeof(S) == typeof(I32)) && (typeof(T) == typeof(S) || typeof(T) == typeof(B8));

    public static string Name => $"zip_{TOp.Name}_{S.Name}_{T.Name}_wide";

    public static Delegate Body => (Action<TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<T>, Steps>)Run;

    private static void Run(TOp op, Sizes sizes, ArrayView<S> a, Steps sa, ArrayView<S> b, Steps sb, ArrayView<T> y, Steps sy)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        y[sy.At(p)] = T.StoreWide(op.Forward(S.LoadWide(a[sa.At(p)]), S.LoadWide(b[sb.At(p)])));
    }
}

/// <summary>Which of the two gradients of a binary op a kernel computes.</summary>
internal interface ISide
{
    static abstract string Name { get; }

    static abstract L Backward<TOp, L>(TOp op, L a, L b, L y, L dy) where TOp : struct, IBinary where L : struct, ILane<L>;
}

/// <summary>∂f/∂a·dy.</summary>
internal readonly struct SideA : ISide
{
    public static string Name => "a";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Backward<TOp, L>(TOp op, L a, L b, L y, L dy) where TOp : struct, IBinary where L : struct, ILane<L> => op.BackwardA(a, b, y, dy);
}

/// <summary>∂f/∂b·dy.</summary>
internal readonly struct SideB : ISide
{
    public static string Name => "b";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Backward<TOp, L>(TOp op, L a, L b, L y, L dy) where TOp : struct, IBinary where L : struct, ILane<L> => op.BackwardB(a, b, y, dy);
}

/// <summary>The gradient of one input, four at a time; operands as in <see cref="ZipQuads{TOp, S, Q}"/>.</summary>
internal readonly struct ZipGradQuads<TOp, TSide, S, Q> : IKernel
    where TOp : struct, IBinary where TSide : struct, ISide where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
{
    public static string Name => $"zip_{TOp.Name}_grad_{TSide.Name}_{S.Name}x4";

    public static Delegate Body =>
        (Action<TOp, Sizes, int, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps>)Run;

    private static void Run(TOp op, Sizes sizes, int count, ArrayView<S> a, Steps sa, ArrayView<S> b, Steps sb, ArrayView<S> y, Steps sy,
        ArrayView<S> dy, Steps sdy, ArrayView<S> dx, Steps sdx)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        long oa = sa.At(p), ob = sb.At(p), oy = sy.At(p), og = sdy.At(p), ox = sdx.At(p);
        if (i * 4 + 4 <= count)
        {
            Q qa = Quads.Load<S, Q>(a, oa, sa.S0), qb = Quads.Load<S, Q>(b, ob, sb.S0);
            Q qy = Quads.Load<S, Q>(y, oy, sy.S0), g = Quads.Load<S, Q>(dy, og, sdy.S0);
            dx.Cast<Q>()[ox >> 2] = Q.Of(
                TSide.Backward(op, Q.A(qa), Q.A(qb), Q.A(qy), Q.A(g)), TSide.Backward(op, Q.B(qa), Q.B(qb), Q.B(qy), Q.B(g)),
                TSide.Backward(op, Q.C(qa), Q.C(qb), Q.C(qy), Q.C(g)), TSide.Backward(op, Q.D(qa), Q.D(qb), Q.D(qy), Q.D(g)));
            return;
        }
        int left = count - i * 4;
        for (int e = 0; e < left; e++)
        {
            dx[ox + e] = S.Store(TSide.Backward(op, S.Load(a[sa.S0 == 0 ? oa : oa + e]), S.Load(b[sb.S0 == 0 ? ob : ob + e]),
                S.Load(y[sy.S0 == 0 ? oy : oy + e]), S.Load(dy[sdy.S0 == 0 ? og : og + e])));
        }
    }
}

/// <summary>The gradient of one input, any strides.</summary>
internal readonly struct ZipGradStrided<TOp, TSide, S> : IKernel where TOp : struct, IBinary where TSide : struct, ISide where S : unmanaged, IFloatElement<S>
{
    public static string Name => $"zip_{TOp.Name}_grad_{TSide.Name}_{S.Name}";

    public static Delegate Body =>
        (Action<TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps>)Run;

    private static void Run(TOp op, Sizes sizes, ArrayView<S> a, Steps sa, ArrayView<S> b, Steps sb, ArrayView<S> y, Steps sy,
        ArrayView<S> dy, Steps sdy, ArrayView<S> dx, Steps sdx)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        dx[sdx.At(p)] = S.Store(TSide.Backward(op, S.Load(a[sa.At(p)]), S.Load(b[sb.At(p)]), S.Load(y[sy.At(p)]), S.Load(dy[sdy.At(p)])));
    }
}

/// <summary>The gradient of one input in float64, any strides.</summary>
internal readonly struct ZipGradWide<TOp, TSide, S> : IKernel where TOp : struct, IBinary where TSide : struct, ISide where S : unmanaged, IWideElement<S>
{
    public static bool IsLaunched => typeof(S) == typeof(F64);

    public static string Name => $"zip_{TOp.Name}_grad_{TSide.Name}_{S.Name}_wide";

    public static Delegate Body =>
        (Action<TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps>)Run;

    private static void Run(TOp op, Sizes sizes, ArrayView<S> a, Steps sa, ArrayView<S> b, Steps sb, ArrayView<S> y, Steps sy,
        ArrayView<S> dy, Steps sdy, ArrayView<S> dx, Steps sdx)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        dx[sdx.At(p)] =
            S.StoreWide(TSide.Backward(op, S.LoadWide(a[sa.At(p)]), S.LoadWide(b[sb.At(p)]), S.LoadWide(y[sy.At(p)]), S.LoadWide(dy[sdy.At(p)])));
    }
}

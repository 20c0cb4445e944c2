using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>y = f(x) over dense elements, four at a time.</summary>
internal readonly struct MapQuads<TOp, S, Q> : IKernel
    where TOp : struct, IUnary where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
{
    public static string Name => $"map_{TOp.Name}_{S.Name}x4";

    public static Delegate Body => (Action<TOp, ArrayView<S>, ArrayView<S>, int>)Run;

    private static void Run(TOp op, ArrayView<S> x, ArrayView<S> y, int count)
    {
        int i = IKernel.Global * 4;
        if (i + 4 <= count)
        {
            Q q = x.Cast<Q>()[i >> 2];
            y.Cast<Q>()[i >> 2] = Q.Of(op.Forward(Q.A(q)), op.Forward(Q.B(q)), op.Forward(Q.C(q)), op.Forward(Q.D(q)));
            return;
        }
        for (; i < count; i++) y[i] = S.Store(op.Forward(S.Load(x[i])));
    }
}

/// <summary>y = f(x), any strides.</summary>
internal readonly struct MapStrided<TOp, S> : IKernel where TOp : struct, IUnary where S : unmanaged, IFloatElement<S>
{
    public static string Name => $"map_{TOp.Name}_{S.Name}";

    public static Delegate Body => (Action<TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps>)Run;

    private static void Run(TOp op, Sizes sizes, ArrayView<S> x, Steps xs, ArrayView<S> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        y[ys.At(p)] = S.Store(op.Forward(S.Load(x[xs.At(p)])));
    }
}

/// <summary>y = f(x) in float64, any strides.</summary>
internal readonly struct MapWide<TOp, S> : IKernel where TOp : struct, IUnary where S : unmanaged, IWideElement<S>
{
    public static bool IsLaunched => typeof(S) == typeof(F64);

    public static string Name => $"map_{TOp.Name}_{S.Name}_wide";

    public static Delegate Body => (Action<TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps>)Run;

    private static void Run(TOp op, Sizes sizes, ArrayView<S> x, Steps xs, ArrayView<S> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        y[ys.At(p)] = S.StoreWide(op.Forward(S.LoadWide(x[xs.At(p)])));
    }
}

/// <summary>dx = f'(x)·dy, or dx += …, over dense elements, four at a time.</summary>
internal readonly struct MapGradQuads<TOp, S, Q> : IKernel
    where TOp : struct, IUnary where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
{
    public static string Name => $"map_{TOp.Name}_grad_{S.Name}x4";

    public static Delegate Body => (Action<TOp, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>, int, int>)Run;

    private static void Run(TOp op, ArrayView<S> x, ArrayView<S> y, ArrayView<S> dy, ArrayView<S> dx, int count, int accumulate)
    {
        int i = IKernel.Global * 4;
        if (i + 4 <= count)
        {
            Q a = x.Cast<Q>()[i >> 2], b = y.Cast<Q>()[i >> 2], g = dy.Cast<Q>()[i >> 2];
            G1 ga = op.Backward(Q.A(a), Q.A(b), Q.A(g)), gb = op.Backward(Q.B(a), Q.B(b), Q.B(g));
            G1 gc = op.Backward(Q.C(a), Q.C(b), Q.C(g)), gd = op.Backward(Q.D(a), Q.D(b), Q.D(g));
            if (accumulate != 0)
            {
                Q old = dx.Cast<Q>()[i >> 2];
                (ga, gb, gc, gd) = (Q.A(old) + ga, Q.B(old) + gb, Q.C(old) + gc, Q.D(old) + gd);
            }
            dx.Cast<Q>()[i >> 2] = Q.Of(ga, gb, gc, gd);
            return;
        }
        for (; i < count; i++)
        {
            G1 g = op.Backward(S.Load(x[i]), S.Load(y[i]), S.Load(dy[i]));
            if (accumulate != 0) g = S.Load(dx[i]) + g;
            dx[i] = S.Store(g);
        }
    }
}

/// <summary>dx = f'(x)·dy, or dx += …, any strides.</summary>
internal readonly struct MapGradStrided<TOp, S> : IKernel where TOp : struct, IUnary where S : unmanaged, IFloatElement<S>
{
    public static string Name => $"map_{TOp.Name}_grad_{S.Name}";

    public static Delegate Body =>
        (Action<TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, int>)Run;

    private static void Run(TOp op, Sizes sizes, ArrayView<S> x, Steps xs, ArrayView<S> y, Steps ys, ArrayView<S> dy, Steps dys,
        ArrayView<S> dx, Steps dxs, int accumulate)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        G1 g = op.Backward(S.Load(x[xs.At(p)]), S.Load(y[ys.At(p)]), S.Load(dy[dys.At(p)]));
        long at = dxs.At(p);
        if (accumulate != 0) g = S.Load(dx[at]) + g;
        dx[at] = S.Store(g);
    }
}

/// <summary>dx = f'(x)·dy, or dx += …, in float64, any strides.</summary>
internal readonly struct MapGradWide<TOp, S> : IKernel where TOp : struct, IUnary where S : unmanaged, IWideElement<S>
{
    public static bool IsLaunched => typeof(S) == typeof(F64);

    public static string Name => $"map_{TOp.Name}_grad_{S.Name}_wide";

    public static Delegate Body =>
        (Action<TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps, int>)Run;

    private static void Run(TOp op, Sizes sizes, ArrayView<S> x, Steps xs, ArrayView<S> y, Steps ys, ArrayView<S> dy, Steps dys,
        ArrayView<S> dx, Steps dxs, int accumulate)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        G64 g = op.Backward(S.LoadWide(x[xs.At(p)]), S.LoadWide(y[ys.At(p)]), S.LoadWide(dy[dys.At(p)]));
        long at = dxs.At(p);
        if (accumulate != 0) g = S.LoadWide(dx[at]) + g;
        dx[at] = S.StoreWide(g);
    }
}

using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>One result per thread, which combines its elements in order: for few or short reductions of any layout. The result may be wider.</summary>
internal readonly struct ReduceSerial<TMonoid, S, T> : IKernel
    where TMonoid : struct, IMonoid where S : unmanaged, IElement<S> where T : unmanaged, IElement<T>
{
    public static string Name => $"reduce_{TMonoid.Name}_{S.Name}_{T.Name}";

    public static Delegate Body => (Action<TMonoid, Sizes, Sizes, ArrayView<S>, Steps, Steps, ArrayView<T>, Steps>)Run;

    private static void Run(TMonoid monoid, Sizes outer, Sizes inner, ArrayView<S> x, Steps xOuter, Steps xInner, ArrayView<T> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= outer.Count) return;
        var p = outer.At(i);
        long at = xOuter.At(p);
        G1 sum = monoid.Identity<G1>();
        for (int k = 0; k < inner.Count; k++) sum = monoid.Combine(sum, monoid.Map(S.Load(x[at + xInner.At(inner.At(k))])));
        y[ys.At(p)] = T.Store(sum);
    }
}

/// <summary>The same in float64.</summary>
internal readonly struct ReduceWide<TMonoid, S> : IKernel where TMonoid : struct, IMonoid where S : unmanaged, IWideElement<S>
{
    public static string Name => $"reduce_{TMonoid.Name}_{S.Name}_wide";

    public static Delegate Body => (Action<TMonoid, Sizes, Sizes, ArrayView<S>, Steps, Steps, ArrayView<S>, Steps>)Run;

    private static void Run(TMonoid monoid, Sizes outer, Sizes inner, ArrayView<S> x, Steps xOuter, Steps xInner, ArrayView<S> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= outer.Count) return;
        var p = outer.At(i);
        long at = xOuter.At(p);
        G64 sum = monoid.Identity<G64>();
        for (int k = 0; k < inner.Count; k++) sum = monoid.Combine(sum, monoid.Map(S.LoadWide(x[at + xInner.At(inner.At(k))])));
        y[ys.At(p)] = S.StoreWide(sum);
    }
}

/// <summary>Index of the largest element along the last dimension, one row per thread.</summary>
internal readonly struct ArgMaxSerial<S> : IKernel where S : unmanaged, IElement<S>
{
    public static string Name => $"argmax_{S.Name}";

    public static Delegate Body => (Action<Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>)Run;

    private static void Run(Sizes rows, int columns, long step, ArrayView<S> x, Steps xs, ArrayView<I32> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= rows.Count) return;
        var p = rows.At(i);
        long at = xs.At(p);
        int best = 0;
        float most = float.NegativeInfinity;
        for (int k = 0; k < columns; k++)
        {
            float value = S.Load(x[at + k * step]).V;
            // A NaN is larger than everything but an earlier NaN.
            if (value > most || (float.IsNaN(value) && !float.IsNaN(most)))
            {
                most = value;
                best = k;
            }
        }
        y[ys.At(p)] = new I32(best);
    }
}

/// <summary>The same in float64.</summary>
internal readonly struct ArgMaxWide<S> : IKernel where S : unmanaged, IWideElement<S>
{
    public static string Name => $"argmax_{S.Name}_wide";

    public static Delegate Body => (Action<Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>)Run;

    private static void Run(Sizes rows, int columns, long step, ArrayView<S> x, Steps xs, ArrayView<I32> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= rows.Count) return;
        var p = rows.At(i);
        long at = xs.At(p);
        int best = 0;
        double most = double.NegativeInfinity;
        for (int k = 0; k < columns; k++)
        {
            double value = S.LoadWide(x[at + k * step]).V;
            if (value > most || (double.IsNaN(value) && !double.IsNaN(most)))
            {
                most = value;
                best = k;
            }
        }
        y[ys.At(p)] = new I32(best);
    }
}

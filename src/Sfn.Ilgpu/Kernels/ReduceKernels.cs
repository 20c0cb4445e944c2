using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>One result per thread, which combines its elements in order: for few or short reductions of any layout. The result may be wider.</summary>
internal readonly struct ReduceSerial<TMonoid, S, T> : IKernel
    where TMonoid : struct, IMonoid where S : unmanaged, IElement<S> where T : unmanaged, IElement<T>
{
    public static string Name => $"reduce_{TMonoid.Name}_{S.Name}_{T.Name}";

    public static bool IsLaunched => ReduceTypes.AreLaunched<TMonoid, S, T>();

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

/// <summary>
/// Partial results of long reductions of any layout: thread number k of a result's <c>parts</c> takes every parts-th element from the k-th on, so that
/// neighbouring threads read neighbours. The results are dense.
/// </summary>
internal readonly struct ReduceParts<TMonoid, S> : IKernel where TMonoid : struct, IMonoid where S : unmanaged, IElement<S>
{
    public static string Name => $"reduce_{TMonoid.Name}_parts_{S.Name}";

    public static bool IsLaunched => ReduceTypes.AreLaunched<TMonoid, S, S>();

    public static Delegate Body => (Action<TMonoid, Sizes, Sizes, int, ArrayView<S>, Steps, Steps, ArrayView<F32>>)Run;

    private static void Run(TMonoid monoid, Sizes outer, Sizes inner, int parts, ArrayView<S> x, Steps xOuter, Steps xInner, ArrayView<F32> y)
    {
        int i = IKernel.Global, row = i / parts;
        if (row >= outer.Count) return;
        long at = xOuter.At(outer.At(row));
        G1 sum = monoid.Identity<G1>();
        for (int k = i - row * parts; k < inner.Count; k += parts) sum = monoid.Combine(sum, monoid.Map(S.Load(x[at + xInner.At(inner.At(k))])));
        y[i] = F32.Store(sum);
    }
}

/// <summary>One result per thread in float64.</summary>
internal readonly struct ReduceWide<TMonoid, S, T> : IKernel
    where TMonoid : struct, IMonoid where S : unmanaged, IWideElement<S> where T : unmanaged, IWideElement<T>
{
    public static string Name => $"reduce_{TMonoid.Name}_{S.Name}_{T.Name}_wide";

    public static bool IsLaunched => typeof(TMonoid).IsGenericType
        ? typeof(S) == typeof(F64) && !ReduceTypes.Floats<T>()
        : typeof(T) == typeof(S) && !ReduceTypes.Floats<S>();

    public static Delegate Body => (Action<TMonoid, Sizes, Sizes, ArrayView<S>, Steps, Steps, ArrayView<T>, Steps>)Run;

    private static void Run(TMonoid monoid, Sizes outer, Sizes inner, ArrayView<S> x, Steps xOuter, Steps xInner, ArrayView<T> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= outer.Count) return;
        var p = outer.At(i);
        long at = xOuter.At(p);
        G64 sum = monoid.Identity<G64>();
        for (int k = 0; k < inner.Count; k++) sum = monoid.Combine(sum, monoid.Map(S.LoadWide(x[at + xInner.At(inner.At(k))])));
        y[ys.At(p)] = T.StoreWide(sum);
    }
}

/// <summary><see cref="ReduceParts{TMonoid, S}"/> in float64.</summary>
internal readonly struct ReduceWideParts<TMonoid, S> : IKernel where TMonoid : struct, IMonoid where S : unmanaged, IWideElement<S>
{
    public static string Name => $"reduce_{TMonoid.Name}_parts_{S.Name}_wide";

    public static bool IsLaunched => !typeof(TMonoid).IsGenericType && !ReduceTypes.Floats<S>();

    public static Delegate Body => (Action<TMonoid, Sizes, Sizes, int, ArrayView<S>, Steps, Steps, ArrayView<F64>>)Run;

    private static void Run(TMonoid monoid, Sizes outer, Sizes inner, int parts, ArrayView<S> x, Steps xOuter, Steps xInner, ArrayView<F64> y)
    {
        int i = IKernel.Global, row = i / parts;
        if (row >= outer.Count) return;
        long at = xOuter.At(outer.At(row));
        G64 sum = monoid.Identity<G64>();
        for (int k = i - row * parts; k < inner.Count; k += parts) sum = monoid.Combine(sum, monoid.Map(S.LoadWide(x[at + xInner.At(inner.At(k))])));
        y[i] = F64.StoreWide(sum);
    }
}

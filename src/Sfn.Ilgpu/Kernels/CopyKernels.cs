using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>y := x, bits unchanged, any strides; U has the elements' size.</summary>
internal readonly struct CopyStrided<U> : IKernel where U : unmanaged
{
    public static string Name => $"copy_{typeof(U).Name.ToLowerInvariant()}";

    public static Delegate Body => (Action<Sizes, ArrayView<U>, Steps, ArrayView<U>, Steps>)Run;

    private static void Run(Sizes sizes, ArrayView<U> x, Steps xs, ArrayView<U> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        y[ys.At(p)] = x[xs.At(p)];
    }
}

/// <summary>y := bits, any strides.</summary>
internal readonly struct FillStrided<U> : IKernel where U : unmanaged
{
    public static string Name => $"fill_{typeof(U).Name.ToLowerInvariant()}";

    public static Delegate Body => (Action<Sizes, U, ArrayView<U>, Steps>)Run;

    private static void Run(Sizes sizes, U value, ArrayView<U> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i < sizes.Count) y[ys.At(sizes.At(i))] = value;
    }
}

/// <summary>y := x or y += x between element types through float32, any strides.</summary>
internal readonly struct Convert<S, T> : IKernel where S : unmanaged, IElement<S> where T : unmanaged, IElement<T>
{
    public static string Name => $"convert_{S.Name}_{T.Name}";

    public static Delegate Body => (Action<Sizes, ArrayView<S>, Steps, ArrayView<T>, Steps, int>)Run;

    private static void Run(Sizes sizes, ArrayView<S> x, Steps xs, ArrayView<T> y, Steps ys, int add)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        G1 value = S.Load(x[xs.At(p)]);
        long at = ys.At(p);
        if (add != 0) value = T.Load(y[at]) + value;
        y[at] = T.Store(value);
    }
}

/// <summary>y := x or y += x between element types through float64, any strides.</summary>
internal readonly struct ConvertWide<S, T> : IKernel where S : unmanaged, IWideElement<S> where T : unmanaged, IWideElement<T>
{
    public static string Name => $"convert_{S.Name}_{T.Name}_wide";

    public static Delegate Body => (Action<Sizes, ArrayView<S>, Steps, ArrayView<T>, Steps, int>)Run;

    private static void Run(Sizes sizes, ArrayView<S> x, Steps xs, ArrayView<T> y, Steps ys, int add)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        G64 value = S.LoadWide(x[xs.At(p)]);
        long at = ys.At(p);
        if (add != 0) value = T.LoadWide(y[at]) + value;
        y[at] = T.StoreWide(value);
    }
}

/// <summary>y := x or y += x between float32 and bfloat16, both dense, four at a time.</summary>
internal readonly struct ConvertQuads<S, QS, T, QT> : IKernel
    where S : unmanaged, IElement<S> where QS : unmanaged, IQuad<QS, S> where T : unmanaged, IElement<T> where QT : unmanaged, IQuad<QT, T>
{
    public static bool IsLaunched => typeof(S) != typeof(T);

    public static string Name => $"convert_{S.Name}_{T.Name}x4";

    public static Delegate Body => (Action<ArrayView<S>, ArrayView<T>, int, int>)Run;

    private static void Run(ArrayView<S> x, ArrayView<T> y, int count, int add)
    {
        int i = IKernel.Global * 4;
        if (i + 4 <= count)
        {
            QS q = x.Cast<QS>()[i >> 2];
            G1 a = QS.A(q), b = QS.B(q), c = QS.C(q), d = QS.D(q);
            if (add != 0)
            {
                QT old = y.Cast<QT>()[i >> 2];
                (a, b, c, d) = (QT.A(old) + a, QT.B(old) + b, QT.C(old) + c, QT.D(old) + d);
            }
            y.Cast<QT>()[i >> 2] = QT.Of(a, b, c, d);
            return;
        }
        for (; i < count; i++)
        {
            G1 value = S.Load(x[i]);
            if (add != 0) value = T.Load(y[i]) + value;
            y[i] = T.Store(value);
        }
    }
}

/// <summary>y := condition ? a : b, bits unchanged, any strides; the condition is not 0.</summary>
internal readonly struct Select<S, U> : IKernel where S : unmanaged, IElement<S> where U : unmanaged
{
    public static string Name => $"where_{S.Name}_{typeof(U).Name.ToLowerInvariant()}";

    public static Delegate Body => (Action<Sizes, ArrayView<S>, Steps, ArrayView<U>, Steps, ArrayView<U>, Steps, ArrayView<U>, Steps>)Run;

    private static void Run(Sizes sizes, ArrayView<S> condition, Steps sc, ArrayView<U> a, Steps sa, ArrayView<U> b, Steps sb, ArrayView<U> y, Steps sy)
    {
        int i = IKernel.Global;
        if (i >= sizes.Count) return;
        var p = sizes.At(i);
        y[sy.At(p)] = S.Load(condition[sc.At(p)]).V != 0 ? a[sa.At(p)] : b[sb.At(p)];
    }
}

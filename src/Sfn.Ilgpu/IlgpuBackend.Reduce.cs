using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;
using Sfn.Backends.Ilgpu.Runtime;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class IlgpuBackend
{
    public void Reduce<TMonoid>(TMonoid monoid, in View x, in View y, int axes) where TMonoid : struct, IMonoid
    {
        if (y.Count == 0) return;
        if (x.DType == DType.BF16 && y.DType == DType.F32)
        {
            Reduce<TMonoid, Bf16, F32>(monoid, x, y, axes);
            return;
        }
        if (x.DType != y.DType)
        {
            using var same = new Temporary(this, y.Shape, x.DType);
            Reduce(monoid, x, same.View, axes);
            Copy(same.View, y);
            return;
        }
        switch (x.DType)
        {
            case DType.F32: Reduce<TMonoid, F32, F32>(monoid, x, y, axes); break;
            case DType.BF16: Reduce<TMonoid, Bf16, Bf16>(monoid, x, y, axes); break;
            case DType.U16: ReduceWide<TMonoid, U16>(monoid, x, y, axes); break;
            case DType.U8: ReduceWide<TMonoid, U8>(monoid, x, y, axes); break;
            case DType.Bool: ReduceWide<TMonoid, B8>(monoid, x, y, axes); break;
            case DType.I32: ReduceWide<TMonoid, I32>(monoid, x, y, axes); break;
            default: ReduceWide<TMonoid, F64>(monoid, x, y, axes); break;
        }
    }

    public void ArgMax(in View x, in View y)
    {
        if (y.Count == 0) return;
        switch (x.DType)
        {
            case DType.F32: ArgMax<F32>(x, y); break;
            case DType.BF16: ArgMax<Bf16>(x, y); break;
            case DType.U16: ArgMax<U16>(x, y); break;
            case DType.U8: ArgMax<U8>(x, y); break;
            case DType.Bool: ArgMax<B8>(x, y); break;
            case DType.I32: ArgMaxWide<I32>(x, y); break;
            default: ArgMaxWide<F64>(x, y); break;
        }
    }

    private void Reduce<TMonoid, S, T>(TMonoid monoid, in View x, in View y, int axes)
        where TMonoid : struct, IMonoid where S : unmanaged, IElement<S> where T : unmanaged, IElement<T>
    {
        var (outerShape, innerShape, innerStrides) = Split(x, axes);
        var outer = new Collapsed(outerShape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        var inner = new Collapsed(innerShape, [innerStrides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ReduceSerial<TMonoid, S, T>, Action<AcceleratorStream, KernelConfig, TMonoid, Sizes, Sizes, ArrayView<S>, Steps, Steps, ArrayView<T>, Steps>>()
            (Stream, Config(y.Count), monoid, outer.Sizes, inner.Sizes, On<S>(x), outer.Steps(0), inner.Steps(0), On<T>(y), outer.Steps(1));
    }

    private void ReduceWide<TMonoid, S>(TMonoid monoid, in View x, in View y, int axes) where TMonoid : struct, IMonoid where S : unmanaged, IWideElement<S>
    {
        var (outerShape, innerShape, innerStrides) = Split(x, axes);
        var outer = new Collapsed(outerShape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        var inner = new Collapsed(innerShape, [innerStrides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ReduceWide<TMonoid, S>, Action<AcceleratorStream, KernelConfig, TMonoid, Sizes, Sizes, ArrayView<S>, Steps, Steps, ArrayView<S>, Steps>>()
            (Stream, Config(y.Count), monoid, outer.Sizes, inner.Sizes, On<S>(x), outer.Steps(0), inner.Steps(0), On<S>(y), outer.Steps(1));
    }

    private void ArgMax<S>(in View x, in View y) where S : unmanaged, IElement<S>
    {
        var walk = new Collapsed(y.Shape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ArgMaxSerial<S>, Action<AcceleratorStream, KernelConfig, Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>>()
            (Stream, Config(y.Count), walk.Sizes, x.Shape[^1], x.Strides[x.Rank - 1], On<S>(x), walk.Steps(0), On<I32>(y), walk.Steps(1));
    }

    private void ArgMaxWide<S>(in View x, in View y) where S : unmanaged, IWideElement<S>
    {
        var walk = new Collapsed(y.Shape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ArgMaxWide<S>, Action<AcceleratorStream, KernelConfig, Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>>()
            (Stream, Config(y.Count), walk.Sizes, x.Shape[^1], x.Strides[x.Rank - 1], On<S>(x), walk.Steps(0), On<I32>(y), walk.Steps(1));
    }

    // The kept dimensions, and the combined ones as a shape of their own.
    private static (Shape Outer, Shape Inner, Strides InnerStrides) Split(in View x, int axes)
    {
        int lead = x.Rank - axes;
        Span<int> outer = stackalloc int[lead], inner = stackalloc int[axes];
        Strides strides = default;
        for (int i = 0; i < lead; i++) outer[i] = x.Shape[i];
        for (int i = 0; i < axes; i++)
        {
            inner[i] = x.Shape[lead + i];
            strides[i] = x.Strides[lead + i];
        }
        return (Shape.Create(outer), Shape.Create(inner), strides);
    }
}

using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;
using Sfn.Backends.Ilgpu.Runtime;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class IlgpuBackend
{
    public void Map<TOp>(TOp op, in View x, in View y) where TOp : struct, IUnary
    {
        if (y.Count == 0) return;
        if (x.DType != y.DType)
        {
            using var same = new Temporary(this, y.Shape, x.DType);
            Map(op, x, same.View);
            Copy(same.View, y);
            return;
        }
        switch (y.DType)
        {
            case DType.F32: Map<TOp, F32, F32x4>(op, x, y); break;
            case DType.BF16: Map<TOp, Bf16, Bf16x4>(op, x, y); break;
            default: MapWide<TOp, F64>(op, x, y); break;
        }
    }

    public void MapGrad<TOp>(TOp op, in View x, in View y, in View dy, in View dx, bool accumulate) where TOp : struct, IUnary
    {
        if (dx.Count == 0) return;
        if (dx.DType != dy.DType)
        {
            using var same = new Temporary(this, dx.Shape, dy.DType);
            MapGrad(op, x, y, dy, same.View, false);
            if (accumulate) AddTo(same.View, dx);
            else Copy(same.View, dx);
            return;
        }
        switch (dy.DType)
        {
            case DType.F32: MapGrad<TOp, F32, F32x4>(op, x, y, dy, dx, accumulate); break;
            case DType.BF16: MapGrad<TOp, Bf16, Bf16x4>(op, x, y, dy, dx, accumulate); break;
            default: MapGradWide<TOp, F64>(op, x, y, dy, dx, accumulate); break;
        }
    }

    public void Zip<TOp>(TOp op, in View a, in View b, in View y) where TOp : struct, IBinary
    {
        if (y.Count == 0) return;
        switch (a.DType, y.DType)
        {
            case (DType.F32, DType.F32): Zip<TOp, F32, F32x4>(op, a, b, y); break;
            case (DType.BF16, DType.BF16): Zip<TOp, Bf16, Bf16x4>(op, a, b, y); break;
            case (DType.U16, DType.U16): ZipElements<TOp, U16, U16>(op, a, b, y); break;
            case (DType.U8, DType.U8): ZipElements<TOp, U8, U8>(op, a, b, y); break;
            case (DType.Bool, DType.Bool): ZipElements<TOp, B8, B8>(op, a, b, y); break;
            case (DType.F64, DType.F64): ZipWide<TOp, F64, F64>(op, a, b, y); break;
            case (DType.I32, DType.I32): ZipWide<TOp, I32, I32>(op, a, b, y); break;
            case (DType.F32, DType.Bool): ZipElements<TOp, F32, B8>(op, a, b, y); break;
            case (DType.BF16, DType.Bool): ZipElements<TOp, Bf16, B8>(op, a, b, y); break;
            case (DType.U16, DType.Bool): ZipElements<TOp, U16, B8>(op, a, b, y); break;
            case (DType.U8, DType.Bool): ZipElements<TOp, U8, B8>(op, a, b, y); break;
            case (DType.F64, DType.Bool): ZipWide<TOp, F64, B8>(op, a, b, y); break;
            case (DType.I32, DType.Bool): ZipWide<TOp, I32, B8>(op, a, b, y); break;
            default:
                using (var same = new Temporary(this, y.Shape, a.DType))
                {
                    Zip(op, a, b, same.View);
                    Copy(same.View, y);
                }
                break;
        }
    }

    public void ZipGrad<TOp>(TOp op, int input, in View a, in View b, in View y, in View dy, in View dx) where TOp : struct, IBinary
    {
        if (dx.Count == 0) return;
        if (dx.DType != dy.DType)
        {
            using var same = new Temporary(this, dx.Shape, dy.DType);
            ZipGrad(op, input, a, b, y, dy, same.View);
            Copy(same.View, dx);
            return;
        }
        switch (dy.DType)
        {
            case DType.F32 when input == 0: ZipGrad<TOp, SideA, F32, F32x4>(op, a, b, y, dy, dx); break;
            case DType.F32: ZipGrad<TOp, SideB, F32, F32x4>(op, a, b, y, dy, dx); break;
            case DType.BF16 when input == 0: ZipGrad<TOp, SideA, Bf16, Bf16x4>(op, a, b, y, dy, dx); break;
            case DType.BF16: ZipGrad<TOp, SideB, Bf16, Bf16x4>(op, a, b, y, dy, dx); break;
            default:
                if (input == 0) ZipGradWide<TOp, SideA, F64>(op, a, b, y, dy, dx);
                else ZipGradWide<TOp, SideB, F64>(op, a, b, y, dy, dx);
                break;
        }
    }

    private void Map<TOp, S, Q>(TOp op, in View x, in View y)
        where TOp : struct, IUnary where S : unmanaged, IFloatElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        if (x.IsContiguous && y.IsContiguous && x.Offset % 4 == 0 && y.Offset % 4 == 0)
        {
            using var _ = Launching();
            Kernel<MapQuads<TOp, S, Q>, Action<AcceleratorStream, KernelConfig, TOp, ArrayView<S>, ArrayView<S>, int>>()
                (Stream, Config((y.Count + 3) / 4), op, On<S>(x), On<S>(y), Int(y.Count));
            return;
        }
        var walk = new Collapsed(y.Shape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var __ = Launching();
        Kernel<MapStrided<TOp, S>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps>>()
            (Stream, Config(y.Count), op, walk.Sizes, On<S>(x), walk.Steps(0), On<S>(y), walk.Steps(1));
    }

    private void MapWide<TOp, S>(TOp op, in View x, in View y) where TOp : struct, IUnary where S : unmanaged, IWideElement<S>
    {
        var walk = new Collapsed(y.Shape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<MapWide<TOp, S>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps>>()
            (Stream, Config(y.Count), op, walk.Sizes, On<S>(x), walk.Steps(0), On<S>(y), walk.Steps(1));
    }

    private void MapGrad<TOp, S, Q>(TOp op, in View x, in View y, in View dy, in View dx, bool accumulate)
        where TOp : struct, IUnary where S : unmanaged, IFloatElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        if (x.IsContiguous && y.IsContiguous && dy.IsContiguous && dx.IsContiguous && (x.Offset | y.Offset | dy.Offset | dx.Offset) % 4 == 0)
        {
            using var _ = Launching();
            Kernel<MapGradQuads<TOp, S, Q>,
                Action<AcceleratorStream, KernelConfig, TOp, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>, int, int>>()
                (Stream, Config((dx.Count + 3) / 4), op, On<S>(x), On<S>(y), On<S>(dy), On<S>(dx), Int(dx.Count), accumulate ? 1 : 0);
            return;
        }
        var walk = new Collapsed(dx.Shape, [x.Strides, y.Strides, dy.Strides, dx.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var __ = Launching();
        Kernel<MapGradStrided<TOp, S>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps,
            ArrayView<S>, Steps, ArrayView<S>, Steps, int>>()
            (Stream, Config(dx.Count), op, walk.Sizes, On<S>(x), walk.Steps(0), On<S>(y), walk.Steps(1), On<S>(dy), walk.Steps(2), On<S>(dx), walk.Steps(3),
                accumulate ? 1 : 0);
    }

    private void MapGradWide<TOp, S>(TOp op, in View x, in View y, in View dy, in View dx, bool accumulate)
        where TOp : struct, IUnary where S : unmanaged, IWideElement<S>
    {
        var walk = new Collapsed(dx.Shape, [x.Strides, y.Strides, dy.Strides, dx.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<MapGradWide<TOp, S>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps,
            ArrayView<S>, Steps, ArrayView<S>, Steps, int>>()
            (Stream, Config(dx.Count), op, walk.Sizes, On<S>(x), walk.Steps(0), On<S>(y), walk.Steps(1), On<S>(dy), walk.Steps(2), On<S>(dx), walk.Steps(3),
                accumulate ? 1 : 0);
    }

    private void Zip<TOp, S, Q>(TOp op, in View a, in View b, in View y)
        where TOp : struct, IBinary where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        var walk = new Collapsed(y.Shape, [a.Strides, b.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        if (walk.FitsQuads(0, a.Offset) && walk.FitsQuads(1, b.Offset) && walk.FitsQuads(2, y.Offset))
        {
            var sizes = walk.Quads;
            using var _ = Launching();
            Kernel<ZipQuads<TOp, S, Q>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, int, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps>>()
                (Stream, Config(sizes.Count), op, sizes, Int(y.Count), On<S>(a), walk.QuadSteps(0), On<S>(b), walk.QuadSteps(1), On<S>(y), walk.QuadSteps(2));
            return;
        }
        using var __ = Launching();
        Kernel<ZipStrided<TOp, S, S>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps>>()
            (Stream, Config(y.Count), op, walk.Sizes, On<S>(a), walk.Steps(0), On<S>(b), walk.Steps(1), On<S>(y), walk.Steps(2));
    }

    private void ZipElements<TOp, S, T>(TOp op, in View a, in View b, in View y)
        where TOp : struct, IBinary where S : unmanaged, IElement<S> where T : unmanaged, IElement<T>
    {
        var walk = new Collapsed(y.Shape, [a.Strides, b.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var __ = Launching();
        Kernel<ZipStrided<TOp, S, T>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<T>, Steps>>()
            (Stream, Config(y.Count), op, walk.Sizes, On<S>(a), walk.Steps(0), On<S>(b), walk.Steps(1), On<T>(y), walk.Steps(2));
    }

    private void ZipWide<TOp, S, T>(TOp op, in View a, in View b, in View y)
        where TOp : struct, IBinary where S : unmanaged, IWideElement<S> where T : unmanaged, IWideElement<T>
    {
        var walk = new Collapsed(y.Shape, [a.Strides, b.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ZipWide<TOp, S, T>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<T>, Steps>>()
            (Stream, Config(y.Count), op, walk.Sizes, On<S>(a), walk.Steps(0), On<S>(b), walk.Steps(1), On<T>(y), walk.Steps(2));
    }

    private void ZipGrad<TOp, TSide, S, Q>(TOp op, in View a, in View b, in View y, in View dy, in View dx)
        where TOp : struct, IBinary where TSide : struct, ISide where S : unmanaged, IFloatElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        var walk = new Collapsed(dx.Shape, [a.Strides, b.Strides, y.Strides, dy.Strides, dx.Strides], stackalloc int[Shape.MaxRank],
            stackalloc long[Shape.MaxRank]);
        if (walk.FitsQuads(0, a.Offset) && walk.FitsQuads(1, b.Offset) && walk.FitsQuads(2, y.Offset) && walk.FitsQuads(3, dy.Offset)
            && walk.FitsQuads(4, dx.Offset))
        {
            var sizes = walk.Quads;
            using var _ = Launching();
            Kernel<ZipGradQuads<TOp, TSide, S, Q>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, int, ArrayView<S>, Steps, ArrayView<S>, Steps,
                ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps>>()
                (Stream, Config(sizes.Count), op, sizes, Int(dx.Count), On<S>(a), walk.QuadSteps(0), On<S>(b), walk.QuadSteps(1), On<S>(y), walk.QuadSteps(2),
                    On<S>(dy), walk.QuadSteps(3), On<S>(dx), walk.QuadSteps(4));
            return;
        }
        using var __ = Launching();
        Kernel<ZipGradStrided<TOp, TSide, S>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps,
            ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps>>()
            (Stream, Config(dx.Count), op, walk.Sizes, On<S>(a), walk.Steps(0), On<S>(b), walk.Steps(1), On<S>(y), walk.Steps(2), On<S>(dy), walk.Steps(3),
                On<S>(dx), walk.Steps(4));
    }

    private void ZipGradWide<TOp, TSide, S>(TOp op, in View a, in View b, in View y, in View dy, in View dx)
        where TOp : struct, IBinary where TSide : struct, ISide where S : unmanaged, IWideElement<S>
    {
        var walk = new Collapsed(dx.Shape, [a.Strides, b.Strides, y.Strides, dy.Strides, dx.Strides], stackalloc int[Shape.MaxRank],
            stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ZipGradWide<TOp, TSide, S>, Action<AcceleratorStream, KernelConfig, TOp, Sizes, ArrayView<S>, Steps, ArrayView<S>, Steps,
            ArrayView<S>, Steps, ArrayView<S>, Steps, ArrayView<S>, Steps>>()
            (Stream, Config(dx.Count), op, walk.Sizes, On<S>(a), walk.Steps(0), On<S>(b), walk.Steps(1), On<S>(y), walk.Steps(2), On<S>(dy), walk.Steps(3),
                On<S>(dx), walk.Steps(4));
    }
}

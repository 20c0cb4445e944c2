using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;
using Sfn.Backends.Ilgpu.Runtime;

namespace Sfn.Backends.Ilgpu;

internal partial class IlgpuBackend
{
    public void Fill(in View y, double value)
    {
        if (y.Count == 0) return;
        ulong bits = HostElement.Bits(y.DType, value);
        switch (y.DType.Size())
        {
            case 1: FillBits(y, (byte)bits); break;
            case 2: FillBits(y, (ushort)bits); break;
            case 4: FillBits(y, (uint)bits); break;
            default: FillBits(y, bits); break;
        }
    }

    public void Copy(in View x, in View y)
    {
        if (y.Count == 0) return;
        if (x.DType != y.DType) Convert(x, y, false);
        else if (x.IsContiguous && y.IsContiguous) CopyBytes(x, y);
        else
        {
            switch (y.DType.Size())
            {
                case 1: CopyElements<byte>(x, y); break;
                case 2: CopyElements<ushort>(x, y); break;
                case 4: CopyElements<uint>(x, y); break;
                default: CopyElements<ulong>(x, y); break;
            }
        }
    }

    public void AddTo(in View x, in View y)
    {
        if (y.Count == 0) return;
        if (x.DType == y.DType && x.DType is DType.F32 or DType.BF16) Zip(new Ops.Add(), y, x, y);
        else Convert(x, y, true);
    }

    public void Where(in View condition, in View a, in View b, in View y)
    {
        if (y.Count == 0) return;
        if (a.DType != y.DType || b.DType != y.DType)
        {
            using var sameA = new Temporary(this, a.Shape, y.DType);
            using var sameB = new Temporary(this, b.Shape, y.DType);
            Copy(a, sameA.View);
            Copy(b, sameB.View);
            Where(condition, sameA.View, sameB.View, y);
            return;
        }
        switch (condition.DType)
        {
            case DType.Bool: Where<B8>(condition, a, b, y); break;
            case DType.U8: Where<U8>(condition, a, b, y); break;
            case DType.U16: Where<U16>(condition, a, b, y); break;
            case DType.I32: Where<I32>(condition, a, b, y); break;
            case DType.BF16: Where<Bf16>(condition, a, b, y); break;
            case DType.F32: Where<F32>(condition, a, b, y); break;
            default:
                using (var truth = new Temporary(this, condition.Shape, DType.Bool))
                {
                    Copy(condition, truth.View);
                    Where<B8>(truth.View, a, b, y);
                }
                break;
        }
    }

    private void Where<S>(in View condition, in View a, in View b, in View y) where S : unmanaged, IElement<S>
    {
        switch (y.DType.Size())
        {
            case 1: Where<S, byte>(condition, a, b, y); break;
            case 2: Where<S, ushort>(condition, a, b, y); break;
            case 4: Where<S, uint>(condition, a, b, y); break;
            default: Where<S, ulong>(condition, a, b, y); break;
        }
    }

    private void Where<S, U>(in View condition, in View a, in View b, in View y) where S : unmanaged, IElement<S> where U : unmanaged
    {
        var walk = new Collapsed(y.Shape, [condition.Strides, a.Strides, b.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<Select<S, U>, Action<AcceleratorStream, KernelConfig, Sizes, ArrayView<S>, Steps, ArrayView<U>, Steps, ArrayView<U>, Steps, ArrayView<U>, Steps>>()
            (Stream, Config(y.Count), walk.Sizes, On<S>(condition), walk.Steps(0), On<U>(a), walk.Steps(1), On<U>(b), walk.Steps(2), On<U>(y), walk.Steps(3));
    }

    private void FillBits<U>(in View y, U value) where U : unmanaged
    {
        var walk = new Collapsed(y.Shape, [y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<FillStrided<U>, Action<AcceleratorStream, KernelConfig, Sizes, U, ArrayView<U>, Steps>>()
            (Stream, Config(y.Count), walk.Sizes, value, On<U>(y), walk.Steps(0));
    }

    private void CopyElements<U>(in View x, in View y) where U : unmanaged
    {
        var walk = new Collapsed(y.Shape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<CopyStrided<U>, Action<AcceleratorStream, KernelConfig, Sizes, ArrayView<U>, Steps, ArrayView<U>, Steps>>()
            (Stream, Config(y.Count), walk.Sizes, On<U>(x), walk.Steps(0), On<U>(y), walk.Steps(1));
    }

    private void CopyBytes(in View x, in View y)
    {
        using var _ = Launching();
        long bytes = y.Count * y.DType.Size();
        On<byte>(x).SubView(0, bytes).CopyTo(Stream, On<byte>(y).SubView(0, bytes));
    }

    // Float32 holds every value of the small types and rounds 32-bit integers once, as the definition does; only float64 needs float64.
    private void Convert(in View x, in View y, bool add)
    {
        bool wide = x.DType == DType.F64 || y.DType == DType.F64 || (add && (x.DType == DType.I32 || y.DType == DType.I32));
        bool dense = x.IsContiguous && y.IsContiguous && (x.Offset | y.Offset) % 4 == 0;
        switch (x.DType)
        {
            case DType.F32 when dense && y.DType == DType.BF16: ConvertQuads<F32, F32x4, Bf16, Bf16x4>(x, y, add); break;
            case DType.BF16 when dense && y.DType == DType.F32: ConvertQuads<Bf16, Bf16x4, F32, F32x4>(x, y, add); break;
            case DType.F32: if (wide) FromWide<F32>(x, y, add); else From<F32>(x, y, add); break;
            case DType.BF16: if (wide) FromWide<Bf16>(x, y, add); else From<Bf16>(x, y, add); break;
            case DType.I32: if (wide) FromWide<I32>(x, y, add); else From<I32>(x, y, add); break;
            case DType.U16: if (wide) FromWide<U16>(x, y, add); else From<U16>(x, y, add); break;
            case DType.U8: if (wide) FromWide<U8>(x, y, add); else From<U8>(x, y, add); break;
            case DType.Bool: if (wide) FromWide<B8>(x, y, add); else From<B8>(x, y, add); break;
            default: FromWide<F64>(x, y, add); break;
        }
    }

    private void From<S>(in View x, in View y, bool add) where S : unmanaged, IElement<S>
    {
        switch (y.DType)
        {
            case DType.F32: Convert<S, F32>(x, y, add); break;
            case DType.BF16: Convert<S, Bf16>(x, y, add); break;
            case DType.I32: Convert<S, I32>(x, y, add); break;
            case DType.U16: Convert<S, U16>(x, y, add); break;
            case DType.U8: Convert<S, U8>(x, y, add); break;
            default: Convert<S, B8>(x, y, add); break;
        }
    }

    private void FromWide<S>(in View x, in View y, bool add) where S : unmanaged, IWideElement<S>
    {
        switch (y.DType)
        {
            case DType.F32: ConvertWide<S, F32>(x, y, add); break;
            case DType.F64: ConvertWide<S, F64>(x, y, add); break;
            case DType.BF16: ConvertWide<S, Bf16>(x, y, add); break;
            case DType.I32: ConvertWide<S, I32>(x, y, add); break;
            case DType.U16: ConvertWide<S, U16>(x, y, add); break;
            case DType.U8: ConvertWide<S, U8>(x, y, add); break;
            default: ConvertWide<S, B8>(x, y, add); break;
        }
    }

    private void Convert<S, T>(in View x, in View y, bool add) where S : unmanaged, IElement<S> where T : unmanaged, IElement<T>
    {
        var walk = new Collapsed(y.Shape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<Convert<S, T>, Action<AcceleratorStream, KernelConfig, Sizes, ArrayView<S>, Steps, ArrayView<T>, Steps, int>>()
            (Stream, Config(y.Count), walk.Sizes, On<S>(x), walk.Steps(0), On<T>(y), walk.Steps(1), add ? 1 : 0);
    }

    private void ConvertWide<S, T>(in View x, in View y, bool add) where S : unmanaged, IWideElement<S> where T : unmanaged, IWideElement<T>
    {
        var walk = new Collapsed(y.Shape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ConvertWide<S, T>, Action<AcceleratorStream, KernelConfig, Sizes, ArrayView<S>, Steps, ArrayView<T>, Steps, int>>()
            (Stream, Config(y.Count), walk.Sizes, On<S>(x), walk.Steps(0), On<T>(y), walk.Steps(1), add ? 1 : 0);
    }

    private void ConvertQuads<S, QS, T, QT>(in View x, in View y, bool add)
        where S : unmanaged, IElement<S> where QS : unmanaged, IQuad<QS, S> where T : unmanaged, IElement<T> where QT : unmanaged, IQuad<QT, T>
    {
        using var _ = Launching();
        Kernel<ConvertQuads<S, QS, T, QT>, Action<AcceleratorStream, KernelConfig, ArrayView<S>, ArrayView<T>, int, int>>()
            (Stream, Config((y.Count + 3) / 4), On<S>(x), On<T>(y), Int(y.Count), add ? 1 : 0);
    }
}

using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;
using Sfn.Backends.Ilgpu.Runtime;

namespace Sfn.Backends.Ilgpu;

internal partial class IlgpuBackend
{
    public void Gather(in View table, in View ids, in View y)
    {
        if (y.Count == 0) return;
        switch (ids.DType)
        {
            case DType.I32: Gather<I32>(table, ids, y); break;
            case DType.U16: Gather<U16>(table, ids, y); break;
            default: Gather<U8>(table, ids, y); break;
        }
    }

    public void ScatterAdd(in View y, in View ids, in View table)
    {
        if (y.Count == 0) return;
        switch (ids.DType)
        {
            case DType.I32: ScatterAdd<I32>(y, ids, table); break;
            case DType.U16: ScatterAdd<U16>(y, ids, table); break;
            default: ScatterAdd<U8>(y, ids, table); break;
        }
    }

    private void Gather<S>(in View table, in View ids, in View y) where S : unmanaged, IElement<S>
    {
        if (table.DType != y.DType)
        {
            using var same = new Temporary(this, y.Shape, table.DType);
            Gather<S>(table, ids, same.View);
            Copy(same.View, y);
            return;
        }
        switch (y.DType.Size())
        {
            case 1: Gather<S, byte>(table, ids, y); break;
            case 2: Gather<S, ushort>(table, ids, y); break;
            case 4: Gather<S, uint>(table, ids, y); break;
            default: Gather<S, ulong>(table, ids, y); break;
        }
    }

    private void Gather<S, U>(in View table, in View ids, in View y) where S : unmanaged, IElement<S> where U : unmanaged
    {
        View row = y.Select(0, 0), from = table.Select(0, 0);
        var walk = new Collapsed(row.Shape, [from.Strides, row.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<GatherRows<S, U>, Action<AcceleratorStream, KernelConfig, Sizes, int, ArrayView<U>, long, Steps, ArrayView<S>, long, ArrayView<U>, long, Steps>>()
            (Stream, Config(y.Count), walk.Sizes, ids.Shape[0], On<U>(table), table.Strides[0], walk.Steps(0), On<S>(ids), ids.Strides[0],
                On<U>(y), y.Strides[0], walk.Steps(1));
    }

    private void ScatterAdd<S>(in View y, in View ids, in View table) where S : unmanaged, IElement<S>
    {
        switch (y.DType, table.DType)
        {
            case (DType.F32, DType.F32): ScatterAdd<S, F32, F32>(y, ids, table); break;
            case (DType.BF16, DType.F32): ScatterAdd<S, F32, Bf16>(y, ids, table); break;
            case (DType.BF16, DType.BF16): ScatterAdd<S, Bf16, Bf16>(y, ids, table); break;
            default: ScatterAddWide<S>(y, ids, table); break;
        }
    }

    private void ScatterAdd<S, T, Y>(in View y, in View ids, in View table)
        where S : unmanaged, IElement<S> where T : unmanaged, IElement<T> where Y : unmanaged, IElement<Y>
    {
        View from = y.Select(0, 0), row = table.Select(0, 0);
        var walk = new Collapsed(row.Shape, [from.Strides, row.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ScatterAddSerial<S, T, Y>,
            Action<AcceleratorStream, KernelConfig, Sizes, int, ArrayView<Y>, long, Steps, ArrayView<S>, long, ArrayView<T>, long, Steps>>()
            (Stream, Config(row.Count), walk.Sizes, ids.Shape[0], On<Y>(y), y.Strides[0], walk.Steps(0), On<S>(ids), ids.Strides[0],
                On<T>(table), table.Strides[0], walk.Steps(1));
    }

    private void ScatterAddWide<S>(in View y, in View ids, in View table) where S : unmanaged, IElement<S>
    {
        View from = y.Select(0, 0), row = table.Select(0, 0);
        var walk = new Collapsed(row.Shape, [from.Strides, row.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ScatterAddWide<S>,
            Action<AcceleratorStream, KernelConfig, Sizes, int, ArrayView<F64>, long, Steps, ArrayView<S>, long, ArrayView<F64>, long, Steps>>()
            (Stream, Config(row.Count), walk.Sizes, ids.Shape[0], On<F64>(y), y.Strides[0], walk.Steps(0), On<S>(ids), ids.Strides[0],
                On<F64>(table), table.Strides[0], walk.Steps(1));
    }
}

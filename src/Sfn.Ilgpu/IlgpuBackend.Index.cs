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

    private void Gather<S>(in View table, in View ids, in View y) where S : unmanaged, IIndex<S>
    {
        if (table.DType != y.DType)
        {
            using var same = new Temporary(this, y.Shape, table.DType);
            Gather<S>(table, ids, same.View);
            Copy(same.View, y);
            return;
        }
        int size = y.DType.Size();
        // Dense rows at multiples of 16 bytes move 16 bytes at a time.
        if (Flat(y, out var rows) && Flat(table, out var from) && rows.Shape[1] * size % 16 == 0
            && (rows.Offset * size | rows.Strides[0] * size | from.Offset * size | from.Strides[0] * size) % 16 == 0)
        {
            Gather<S, Bits16>(from, ids, rows, 16 / size);
            return;
        }
        switch (size)
        {
            case 1: Gather<S, byte>(table, ids, y, 1); break;
            case 2: Gather<S, ushort>(table, ids, y, 1); break;
            case 4: Gather<S, uint>(table, ids, y, 1); break;
            default: Gather<S, ulong>(table, ids, y, 1); break;
        }
    }

    // A unit of U is `unit` elements; rows of larger units than one element are dense.
    private void Gather<S, U>(in View table, in View ids, in View y, int unit) where S : unmanaged, IIndex<S> where U : unmanaged
    {
        View row = y.Select(0, 0), from = table.Select(0, 0);
        var shape = unit == 1 ? row.Shape : [row.Shape[0] / unit];
        var walk = new Collapsed(shape, [from.Strides, row.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<GatherRows<S, U>,
            Action<AcceleratorStream, KernelConfig, Sizes, int, int, ArrayView<U>, long, Steps, ArrayView<S>, long, ArrayView<U>, long, Steps>>()
            (Stream, Config(y.Count / unit), walk.Sizes, ids.Shape[0], table.Shape[0], On<U>(table), table.Strides[0] / unit, walk.Steps(0),
                On<S>(ids), ids.Strides[0], On<U>(y), y.Strides[0] / unit, walk.Steps(1));
    }

    private void ScatterAdd<S>(in View y, in View ids, in View table) where S : unmanaged, IIndex<S>
    {
        switch (y.DType, table.DType)
        {
            case (DType.F32, DType.F32): ScatterAdd<S, F32, F32x4, F32, F32x4>(y, ids, table); break;
            case (DType.BF16, DType.F32): ScatterAdd<S, F32, F32x4, Bf16, Bf16x4>(y, ids, table); break;
            case (DType.BF16, DType.BF16): ScatterAdd<S, Bf16, Bf16x4, Bf16, Bf16x4>(y, ids, table); break;
            default: ScatterAddWide<S>(y, ids, table); break;
        }
    }

    private void ScatterAdd<S, T, TQ, Y, YQ>(in View y, in View ids, in View table)
        where S : unmanaged, IIndex<S> where T : unmanaged, IElement<T> where TQ : unmanaged, IQuad<TQ, T>
        where Y : unmanaged, IElement<Y> where YQ : unmanaged, IQuad<YQ, Y>
    {
        if (ids.Shape[0] > FewPositions && Flat(y, out var rows) && Flat(table, out var to))
        {
            bool quads = rows.Shape[1] % 4 == 0 && (rows.Offset | rows.Strides[0] | to.Offset | to.Strides[0]) % 4 == 0;
            if (quads) ScatterSum<ByQuads, S, T, TQ, Y, YQ>(rows, ids, to);
            else ScatterSum<ByOnes, S, T, TQ, Y, YQ>(rows, ids, to);
            return;
        }
        View from = y.Select(0, 0), row = table.Select(0, 0);
        var walk = new Collapsed(row.Shape, [from.Strides, row.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ScatterAddSerial<S, T, Y>,
            Action<AcceleratorStream, KernelConfig, Sizes, int, int, ArrayView<Y>, long, Steps, ArrayView<S>, long, ArrayView<T>, long, Steps>>()
            (Stream, Config(row.Count), walk.Sizes, ids.Shape[0], table.Shape[0], On<Y>(y), y.Strides[0], walk.Steps(0), On<S>(ids), ids.Strides[0],
                On<T>(table), table.Strides[0], walk.Steps(1));
    }

    private void ScatterAddWide<S>(in View y, in View ids, in View table) where S : unmanaged, IIndex<S>
    {
        View from = y.Select(0, 0), row = table.Select(0, 0);
        var walk = new Collapsed(row.Shape, [from.Strides, row.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ScatterAddWide<S>,
            Action<AcceleratorStream, KernelConfig, Sizes, int, int, ArrayView<F64>, long, Steps, ArrayView<S>, long, ArrayView<F64>, long, Steps>>()
            (Stream, Config(row.Count), walk.Sizes, ids.Shape[0], table.Shape[0], On<F64>(y), y.Strides[0], walk.Steps(0), On<S>(ids), ids.Strides[0],
                On<F64>(table), table.Strides[0], walk.Steps(1));
    }

    /// <summary>Positions up to which one thread per column adds them one after the other.</summary>
    internal const int FewPositions = 16;

    private void ScatterSum<TAccess, S, T, TQ, Y, YQ>(in View y, in View ids, in View table)
        where TAccess : struct, IRowAccess where S : unmanaged, IIndex<S> where T : unmanaged, IElement<T> where TQ : unmanaged, IQuad<TQ, T>
        where Y : unmanaged, IElement<Y> where YQ : unmanaged, IQuad<YQ, Y>
    {
        int positions = ids.Shape[0], tableRows = table.Shape[0];
        var n = new ScatterSizes
        {
            TableRow = table.Strides[0],
            YRow = y.Strides[0],
            IdStep = ids.Strides[0],
            Positions = positions,
            TableRows = tableRows,
            Columns = y.Shape[1],
            Lanes = (y.Shape[1] + 3) / 4,
        };
        // Counts and the number of places taken begin at 0; the rest is written before it is read.
        using Temporary numbers = new(this, [3 * tableRows + 1 + 2 * positions], DType.I32);
        Fill(numbers.View.Narrow(0, 0, tableRows + 1), 0.0);
        using var _ = Launching();
        var all = On<int>(numbers.View);
        ArrayView<int> counts = all.SubView(0, tableRows), taken = all.SubView(tableRows, 1), starts = all.SubView(tableRows + 1, tableRows);
        ArrayView<int> free = all.SubView(2 * tableRows + 1, tableRows), lists = all.SubView(3 * tableRows + 1, positions);
        var ordered = all.SubView(3 * tableRows + 1 + positions, positions);
        Kernel<ScatterCount<S>, Action<AcceleratorStream, KernelConfig, int, int, ArrayView<S>, long, ArrayView<int>>>()
            (Stream, Config(positions), positions, tableRows, On<S>(ids), n.IdStep, counts);
        Kernel<ScatterPlaces, Action<AcceleratorStream, KernelConfig, int, ArrayView<int>, ArrayView<int>, ArrayView<int>, ArrayView<int>>>()
            (Stream, Config(tableRows), tableRows, counts, starts, free, taken);
        Kernel<ScatterFill<S>, Action<AcceleratorStream, KernelConfig, int, int, ArrayView<S>, long, ArrayView<int>, ArrayView<int>>>()
            (Stream, Config(positions), positions, tableRows, On<S>(ids), n.IdStep, free, lists);
        Kernel<ScatterOrder<S>,
            Action<AcceleratorStream, KernelConfig, int, int, ArrayView<S>, long, ArrayView<int>, ArrayView<int>, ArrayView<int>, ArrayView<int>>>()
            (Stream, Config(positions), positions, tableRows, On<S>(ids), n.IdStep, counts, starts, lists, ordered);
        Kernel<ScatterSum<TAccess, S, T, TQ, Y, YQ>,
            Action<AcceleratorStream, KernelConfig, ScatterSizes, ArrayView<S>, ArrayView<int>, ArrayView<int>, ArrayView<int>, ArrayView<Y>, ArrayView<T>>>()
            (Stream, Config((long)positions * n.Lanes), n, On<S>(ids), counts, starts, ordered, On<Y>(y), On<T>(table));
    }

    /// <summary>A table as [rows, columns] with dense columns, where it lies like that.</summary>
    private static bool Flat(in View x, out View flat)
    {
        long columns = x.Count / x.Shape[0];
        flat = default;
        if (columns > int.MaxValue) return false;
        return x.TryReshape([x.Shape[0], (int)columns], out flat) && (columns == 1 || flat.Strides[1] == 1);
    }
}

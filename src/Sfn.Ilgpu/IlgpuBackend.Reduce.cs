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
            Reduce<TMonoid, Bf16, Bf16x4, F32>(monoid, x, y, axes);
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
            case DType.F32: Reduce<TMonoid, F32, F32x4, F32>(monoid, x, y, axes); break;
            case DType.BF16: Reduce<TMonoid, Bf16, Bf16x4, Bf16>(monoid, x, y, axes); break;
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

    private void Reduce<TMonoid, S, Q, T>(TMonoid monoid, in View x, in View y, int axes)
        where TMonoid : struct, IMonoid where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> where T : unmanaged, IElement<T>
    {
        var (outerShape, innerShape, innerStrides) = Split(x, axes);
        var outer = new Collapsed(outerShape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        var inner = new Collapsed(innerShape, [innerStrides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        Steps xs = outer.Steps(0), xi = inner.Steps(0);
        var sizes = inner.Sizes;
        int columns = outer.Rank == 1 ? outer.Sizes.Count : (int)outer.Sizes.N0;
        if (sizes.Count > 1 && inner.Rank == 1 && xi.S0 == 1)
        {
            if (sizes.Count % 4 == 0 && x.Offset % 4 == 0 && xs.FitQuads(0)) ReduceRows<TMonoid, ByQuads, S, Q, T>(monoid, x, y, outer, sizes.Count);
            else ReduceRows<TMonoid, ByOnes, S, Q, T>(monoid, x, y, outer, sizes.Count);
        }
        else if (sizes.Count >= 16 && columns >= 8 && xs.S0 == 1 && y.Count / columns <= ushort.MaxValue)
        {
            if (columns % 4 == 0 && x.Offset % 4 == 0 && xs.FitQuads(1) && xi.FitQuads(0))
                ReduceColumns<TMonoid, ByQuads, S, Q, T>(monoid, x, y, outer, inner, columns);
            else ReduceColumns<TMonoid, ByOnes, S, Q, T>(monoid, x, y, outer, inner, columns);
        }
        else if (Parts(y.Count, sizes.Count) is > 1 and int parts)
        {
            using var partial = new Temporary(this, Extended(y.Shape, parts), DType.F32);
            using (Launching())
                Kernel<ReduceParts<TMonoid, S>,
                    Action<AcceleratorStream, KernelConfig, TMonoid, Sizes, Sizes, int, ArrayView<S>, Steps, Steps, ArrayView<F32>>>()
                    (Stream, Config(y.Count * parts), monoid, outer.Sizes, sizes, parts, On<S>(x), xs, xi, On<F32>(partial.View));
            Reduce(new Combining<TMonoid>(monoid), partial.View, y, 1);
        }
        else
        {
            using var _ = Launching();
            Kernel<ReduceSerial<TMonoid, S, T>,
                Action<AcceleratorStream, KernelConfig, TMonoid, Sizes, Sizes, ArrayView<S>, Steps, Steps, ArrayView<T>, Steps>>()
                (Stream, Config(y.Count), monoid, outer.Sizes, sizes, On<S>(x), xs, xi, On<T>(y), outer.Steps(1));
        }
    }

    // Few long rows are cut into pieces, so that there is work for the whole device. The cut depends on the shape alone.
    private void ReduceRows<TMonoid, TAccess, S, Q, T>(TMonoid monoid, in View x, in View y, in Collapsed outer, int columns)
        where TMonoid : struct, IMonoid where TAccess : struct, IRowAccess
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> where T : unmanaged, IElement<T>
    {
        const int Piece = 4096, Groups = 1024;
        int rows = Int(y.Count);
        if (rows >= Groups / 4 || columns < 2 * Piece)
        {
            if (columns <= 32) ReduceRows<TMonoid, Lanes8, TAccess, S, Q, T>(monoid, x, y, outer, columns, 1, columns);
            else if (columns <= 128) ReduceRows<TMonoid, Lanes32, TAccess, S, Q, T>(monoid, x, y, outer, columns, 1, columns);
            else if (columns <= 1024) ReduceRows<TMonoid, Lanes64, TAccess, S, Q, T>(monoid, x, y, outer, columns, 1, columns);
            else ReduceRows<TMonoid, Lanes256, TAccess, S, Q, T>(monoid, x, y, outer, columns, 1, columns);
            return;
        }
        int chunk = Math.Max(Piece, (int)(((long)columns * rows + Groups - 1) / Groups) + 3 & ~3), parts = (columns + chunk - 1) / chunk;
        using var partial = new Temporary(this, Extended(y.Shape, parts), DType.F32);
        ReduceRows<TMonoid, Lanes256, TAccess, S, Q, F32>(monoid, x, partial.View, outer, columns, parts, chunk);
        Reduce(new Combining<TMonoid>(monoid), partial.View, y, 1);
    }

    private void ReduceRows<TMonoid, TShape, TAccess, S, Q, T>(TMonoid monoid, in View x, in View y, in Collapsed outer, int columns, int parts, int chunk)
        where TMonoid : struct, IMonoid where TShape : struct, IRowShape where TAccess : struct, IRowAccess
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> where T : unmanaged, IElement<T>
    {
        using var _ = Launching();
        Kernel<ReduceRows<TMonoid, TShape, TAccess, S, Q, T>,
            Action<AcceleratorStream, KernelConfig, TMonoid, Sizes, int, int, int, ArrayView<S>, Steps, ArrayView<T>, Steps>>()
            (Stream, RowGroups<TShape>((long)outer.Sizes.Count * parts), monoid, outer.Sizes, columns, parts, chunk,
                On<S>(x), outer.Steps(0), On<T>(y), outer.Steps(1));
    }

    // Rows are cut into runs for the same reason.
    private void ReduceColumns<TMonoid, TAccess, S, Q, T>(TMonoid monoid, in View x, in View y, in Collapsed outer, in Collapsed inner, int columns)
        where TMonoid : struct, IMonoid where TAccess : struct, IRowAccess
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> where T : unmanaged, IElement<T>
    {
        int rows = inner.Sizes.Count, batch = Int(y.Count / columns), run = Run(rows, columns, batch);
        if (run >= rows)
        {
            ReduceColumns<TMonoid, TAccess, S, Q, T>(monoid, x, y, outer, inner, columns, rows);
            return;
        }
        using var partial = new Temporary(this, [(rows + run - 1) / run, .. y.Shape.ToArray()], DType.F32);
        ReduceColumns<TMonoid, TAccess, S, Q, F32>(monoid, x, partial.View, outer, inner, columns, run);
        Reduce(new Combining<TMonoid>(monoid), Last(partial.View), y, 1);
    }

    private void ReduceColumns<TMonoid, TAccess, S, Q, T>(TMonoid monoid, in View x, in View y, in Collapsed outer, in Collapsed inner, int columns, int run)
        where TMonoid : struct, IMonoid where TAccess : struct, IRowAccess
        where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> where T : unmanaged, IElement<T>
    {
        var grid = new Index3D((columns + ColumnTile.Columns - 1) / ColumnTile.Columns, (inner.Sizes.Count + run - 1) / run, outer.Sizes.Count / columns);
        using var _ = Launching();
        Kernel<ReduceColumns<TMonoid, TAccess, S, Q, T>,
            Action<AcceleratorStream, KernelConfig, TMonoid, Sizes, int, Sizes, int, ArrayView<S>, Steps, Steps, ArrayView<T>, Steps>>()
            (Stream, new(grid, new Index3D(ColumnTile.Threads, 1, 1)), monoid, outer.Sizes, columns, inner.Sizes, run,
                On<S>(x), outer.Steps(0), inner.Steps(0), On<T>(y), outer.Steps(1));
    }

    private void ReduceWide<TMonoid, S>(TMonoid monoid, in View x, in View y, int axes) where TMonoid : struct, IMonoid where S : unmanaged, IWideElement<S>
    {
        var (outerShape, innerShape, innerStrides) = Split(x, axes);
        var outer = new Collapsed(outerShape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        var inner = new Collapsed(innerShape, [innerStrides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        if (Parts(y.Count, inner.Sizes.Count) is > 1 and int parts)
        {
            using var partial = new Temporary(this, Extended(y.Shape, parts), DType.F64);
            using (Launching())
                Kernel<ReduceWideParts<TMonoid, S>,
                    Action<AcceleratorStream, KernelConfig, TMonoid, Sizes, Sizes, int, ArrayView<S>, Steps, Steps, ArrayView<F64>>>()
                    (Stream, Config(y.Count * parts), monoid, outer.Sizes, inner.Sizes, parts, On<S>(x), outer.Steps(0), inner.Steps(0), On<F64>(partial.View));
            ReduceWide<Combining<TMonoid>, F64, S>(new(monoid), partial.View, y, 1);
        }
        else ReduceWide<TMonoid, S, S>(monoid, x, y, axes);
    }

    private void ReduceWide<TMonoid, S, T>(TMonoid monoid, in View x, in View y, int axes)
        where TMonoid : struct, IMonoid where S : unmanaged, IWideElement<S> where T : unmanaged, IWideElement<T>
    {
        var (outerShape, innerShape, innerStrides) = Split(x, axes);
        var outer = new Collapsed(outerShape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        var inner = new Collapsed(innerShape, [innerStrides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ReduceWide<TMonoid, S, T>, Action<AcceleratorStream, KernelConfig, TMonoid, Sizes, Sizes, ArrayView<S>, Steps, Steps, ArrayView<T>, Steps>>()
            (Stream, Config(y.Count), monoid, outer.Sizes, inner.Sizes, On<S>(x), outer.Steps(0), inner.Steps(0), On<T>(y), outer.Steps(1));
    }

    private void ArgMax<S>(in View x, in View y) where S : unmanaged, IElement<S>
    {
        var walk = new Collapsed(y.Shape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        int columns = x.Shape[^1];
        long step = x.Strides[x.Rank - 1];
        using var _ = Launching();
        if (columns < IKernel.Threads / 2)
            Kernel<ArgMaxSerial<S>, Action<AcceleratorStream, KernelConfig, Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>>()
                (Stream, Config(y.Count), walk.Sizes, columns, step, On<S>(x), walk.Steps(0), On<I32>(y), walk.Steps(1));
        else
            Kernel<ArgMaxRows<S>, Action<AcceleratorStream, KernelConfig, Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>>()
                (Stream, new(Int(y.Count), IKernel.Threads), walk.Sizes, columns, step, On<S>(x), walk.Steps(0), On<I32>(y), walk.Steps(1));
    }

    private void ArgMaxWide<S>(in View x, in View y) where S : unmanaged, IWideElement<S>
    {
        var walk = new Collapsed(y.Shape, [x.Strides, y.Strides], stackalloc int[Shape.MaxRank], stackalloc long[Shape.MaxRank]);
        using var _ = Launching();
        Kernel<ArgMaxWide<S>, Action<AcceleratorStream, KernelConfig, Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>>()
            (Stream, Config(y.Count), walk.Sizes, x.Shape[^1], x.Strides[x.Rank - 1], On<S>(x), walk.Steps(0), On<I32>(y), walk.Steps(1));
    }

    /// <summary>Rows of which one group takes the columns of a tile; all rows where there are tiles enough. Depends on the shape alone.</summary>
    private protected static int Run(int rows, int columns, int batch)
    {
        long groups = (long)((columns + ColumnTile.Columns - 1) / ColumnTile.Columns) * batch;
        if (groups >= 512 || rows < 64) return rows;
        int runs = (int)Math.Min(1024 / groups, (rows + 31) / 32);
        return ((rows + runs - 1) / runs + ColumnTile.RowLanes - 1) / ColumnTile.RowLanes * ColumnTile.RowLanes;
    }

    // Into how many threads' work one result is cut where no kernel knows the layout.
    private static int Parts(long results, int each) => results >= 16384 || each < 2048 ? 1 : (int)Math.Min(1024, Math.Sqrt(each));

    private static Shape Extended(in Shape shape, int last)
    {
        Span<int> dims = stackalloc int[shape.Rank + 1];
        shape.CopyTo(dims);
        dims[^1] = last;
        return Shape.Create(dims);
    }

    // The first dimension moved to the end.
    private static View Last(in View x)
    {
        Span<int> order = stackalloc int[x.Rank];
        for (int i = 0; i < order.Length; i++) order[i] = (i + 1) % order.Length;
        return x.Permute(order);
    }

    private protected static KernelConfig RowGroups<TShape>(long rows) where TShape : struct, IRowShape =>
        new(Int((rows + TShape.Threads / TShape.Lanes - 1) / (TShape.Threads / TShape.Lanes)), TShape.Threads);

    // The kept dimensions, and the combined ones as a shape of their own, the farthest apart first: what is dense in any order is one run.
    private static (Shape Outer, Shape Inner, Strides InnerStrides) Split(in View x, int axes)
    {
        int lead = x.Rank - axes;
        Span<int> outer = stackalloc int[lead], inner = stackalloc int[axes];
        Strides strides = default;
        for (int i = 0; i < lead; i++) outer[i] = x.Shape[i];
        for (int i = 0; i < axes; i++)
        {
            int at = i;
            for (; at > 0 && strides[at - 1] < x.Strides[lead + i]; at--) (inner[at], strides[at]) = (inner[at - 1], strides[at - 1]);
            (inner[at], strides[at]) = (x.Shape[lead + i], x.Strides[lead + i]);
        }
        return (Shape.Create(outer), Shape.Create(inner), strides);
    }
}

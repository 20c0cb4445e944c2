using System.Runtime.Intrinsics;
using Sfn.Backends.Reference;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>
/// SIMD kernels on host memory, threaded over <see cref="CpuPool"/>. What it has no kernel for (other element types, odd strides)
/// runs as the reference loops it inherits, or on a dense copy.
/// </summary>
internal sealed unsafe partial class CpuBackend(Device device)
    : ReferenceBackend(device), IRowKernels, ICrossEntropy, IFlashAttention, IRotary, IDropout, IOptimizerKernels
{
    public override string Description =>
        $"{CpuPool.Threads} threads, {(Vector512.IsHardwareAccelerated ? "512" : Vector256.IsHardwareAccelerated ? "256" : "128")}-bit vectors";

    public override void Fill(in View y, double value)
    {
        if (y.DType == DType.F32 && y.IsContiguous && y.Count <= int.MaxValue) new Span<float>(y.Pointer, (int)y.Count).Fill((float)value);
        else if (Brief(y) && y.IsContiguous && y.Count is > 0 and <= int.MaxValue)
        {
            Element.Write(y.Pointer, y.DType, 0, value);
            new Span<BFloat16>(y.Pointer, (int)y.Count).Fill(*(BFloat16*)y.Pointer);
        }
        else base.Fill(y, value);
    }

    public override void Copy(in View x, in View y)
    {
        if (x.DType == DType.F32 && y.DType == DType.F32) CopyWalker.Run(y.Shape, F(x), x.Strides, F(y), y.Strides, add: false);
        else if (x.DType == y.DType && x.IsContiguous && y.IsContiguous)
            Buffer.MemoryCopy(x.Pointer, y.Pointer, y.Count * y.DType.Size(), x.Count * x.DType.Size());
        else if (!Mixed(x, y)) base.Copy(x, y);
        else if (!Brief(y)) ConvertWalker.Run<Widen, BFloat16, float>(x, y);
        else if (!Brief(x)) ConvertWalker.Run<Narrow, float, BFloat16>(x, y);
        else ConvertWalker.Run<Keep16, BFloat16, BFloat16>(x, y);
    }

    public override void AddTo(in View x, in View y)
    {
        if (x.DType == DType.F32 && y.DType == DType.F32) CopyWalker.Run(y.Shape, F(x), x.Strides, F(y), y.Strides, add: true);
        else if (!Brief(x) || !Plain(y)) base.AddTo(x, y);
        else if (Brief(y)) ConvertWalker.Run<AddBrief, BFloat16, BFloat16>(x, y);
        else ConvertWalker.Run<AddWide, BFloat16, float>(x, y);
    }

    public override void Map<TOp>(TOp op, in View x, in View y)
    {
        if (!All32(x, y) || !y.IsContiguous)
        {
            if (Mixed(x, y)) MapWide(op, x, y);
            else base.Map(op, x, y);
            return;
        }
        using var dense = new DenseCopy(this, x);
        MapWalker.Forward(op, dense.Pointer, F(y), y.Count);
    }

    public override void MapGrad<TOp>(TOp op, in View x, in View y, in View dy, in View dx, bool accumulate)
    {
        if (!All32(x, y, dy, dx) || !dx.IsContiguous)
        {
            if (Mixed(x, y, dy) && Plain(dx)) MapGradWide(op, x, y, dy, dx, accumulate);
            else base.MapGrad(op, x, y, dy, dx, accumulate);
            return;
        }
        using var denseX = new DenseCopy(this, x);
        using var denseY = new DenseCopy(this, y);
        using var denseDy = new DenseCopy(this, dy);
        MapWalker.Backward(op, denseX.Pointer, denseY.Pointer, denseDy.Pointer, F(dx), dx.Count, accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View y)
    {
        if (!All32(a, b, y) || !y.IsContiguous)
        {
            if (Mixed(a, b, y)) ZipWide(op, a, b, y);
            else base.Zip(op, a, b, y);
            return;
        }
        if (a.IsContiguous && b.IsContiguous)
        {
            ZipWalker.Forward(op, F(a), F(b), F(y), 1, y.Count, 0, 1, 0, 1);
            return;
        }
        var dims = Collapsed.Of(y.Shape, a.Strides, b.Strides, y.Strides);
        if (!ZipRows.Fit(dims, out long aCol, out long bCol))
        {
            using var denseA = new DenseCopy(this, a);
            using var denseB = new DenseCopy(this, b);
            ZipWalker.Forward(op, denseA.Pointer, denseB.Pointer, F(y), 1, y.Count, 0, 1, 0, 1);
            return;
        }
        foreach (var part in new ZipRows(dims))
            ZipWalker.Forward(op, F(a) + part.A, F(b) + part.B, F(y) + part.C, part.Rows, dims.Columns, part.ARow, aCol, part.BRow, bCol);
    }

    public override void ZipGrad<TOp>(TOp op, int input, in View a, in View b, in View y, in View dy, in View dx)
    {
        if (!All32(a, b, y, dy) || !dx.IsContiguous || dx.DType != DType.F32)
        {
            if (Mixed(a, b, y) && Plain(dy) && Plain(dx)) ZipGradWide(op, input, a, b, y, dy, dx);
            else base.ZipGrad(op, input, a, b, y, dy, dx);
            return;
        }
        if (a.IsContiguous && b.IsContiguous && y.IsContiguous && dy.IsContiguous)
        {
            if (input == 0) ZipWalker.BackwardA(op, F(a), F(b), F(y), F(dy), F(dx), 1, dx.Count, 0, 1, 0, 1);
            else ZipWalker.BackwardB(op, F(a), F(b), F(y), F(dy), F(dx), 1, dx.Count, 0, 1, 0, 1);
            return;
        }
        using var denseY = new DenseCopy(this, y);
        using var denseDy = new DenseCopy(this, dy);
        var dims = Collapsed.Of(dx.Shape, a.Strides, b.Strides, dx.Strides);
        bool fits = ZipRows.Fit(dims, out long aCol, out long bCol);
        using var denseA = new DenseCopy(this, a, needed: !fits);
        using var denseB = new DenseCopy(this, b, needed: !fits);
        if (!fits)
        {
            dims = Collapsed.Of(dx.Shape, dx.Strides, dx.Strides, dx.Strides);
            (aCol, bCol) = (1, 1);
        }
        foreach (var part in new ZipRows(dims))
        {
            float* pa = denseA.Pointer + part.A, pb = denseB.Pointer + part.B, py = denseY.Pointer + part.C, pg = denseDy.Pointer + part.C, to = F(dx) + part.C;
            if (input == 0) ZipWalker.BackwardA(op, pa, pb, py, pg, to, part.Rows, dims.Columns, part.ARow, aCol, part.BRow, bCol);
            else ZipWalker.BackwardB(op, pa, pb, py, pg, to, part.Rows, dims.Columns, part.ARow, aCol, part.BRow, bCol);
        }
    }

    public override void Reduce<TMonoid>(TMonoid monoid, in View x, in View y, int axes)
    {
        if (!All32(x, y) || !y.IsContiguous || x.Count == 0)
        {
            if (Mixed(x, y) && x.Count > 0) ReduceWide(monoid, x, y, axes);
            else base.Reduce(monoid, x, y, axes);
            return;
        }
        var (kept, reduced) = Groups(x, axes);
        long rows = y.Count, columns = x.Count / Math.Max(1, rows);
        if (reduced.Rank == 1 && kept.Rank == 1 && (reduced.A[0] == 1 || columns == 1))
            ReduceWalker.Rows(monoid, F(x), F(y), rows, columns, rows == 1 ? columns : kept.A[0]);
        else if (reduced.Rank == 1 && kept.Rank == 1 && kept.A[0] == 1)
            ReduceWalker.Columns(monoid, F(x), F(y), columns, rows, reduced.A[0], accumulate: false);
        else
        {
            using var dense = new DenseCopy(this, x);
            ReduceWalker.Rows(monoid, dense.Pointer, F(y), rows, columns, columns);
        }
    }

    public override void Gather(in View table, in View ids, in View y)
    {
        if (table.DType != y.DType || table.Rank != 2 || table.Strides[1] != 1 || y.Strides[1] != 1)
        {
            base.Gather(table, ids, y);
            return;
        }
        long size = y.DType.Size(), bytes = table.Shape[1] * size;
        for (int i = 0; i < ids.Shape[0]; i++)
            Buffer.MemoryCopy(table.Pointer + Id(ids, i) * table.Strides[0] * size, y.Pointer + i * y.Strides[0] * size, bytes, bytes);
    }

    private static float* F(in View view) => (float*)view.Pointer;

    private static bool All32(in View a, in View b) => a.DType == DType.F32 && b.DType == DType.F32;

    private static bool All32(in View a, in View b, in View c) => All32(a, b) && c.DType == DType.F32;

    private static bool All32(in View a, in View b, in View c, in View d) => All32(a, b) && All32(c, d);

    // The leading (kept) and last (reduced) dimensions, each collapsed by itself.
    private static (Collapsed Kept, Collapsed Reduced) Groups(in View x, int axes)
    {
        int lead = x.Rank - axes;
        Span<int> dims = stackalloc int[x.Rank];
        x.Shape.CopyTo(dims);
        Strides kept = default, reduced = default;
        for (int i = 0; i < lead; i++) kept[i] = x.Strides[i];
        for (int i = lead; i < x.Rank; i++) reduced[i - lead] = x.Strides[i];
        return (Collapsed.Of(Shape.Create(dims[..lead]), kept, kept, kept), Collapsed.Of(Shape.Create(dims[lead..]), reduced, reduced, reduced));
    }

    /// <summary>A dense float32 form of a view for the length of one kernel: the view's own memory where it is dense already.</summary>
    private readonly ref struct DenseCopy
    {
        private readonly Storage? _storage;

        public DenseCopy(CpuBackend backend, in View view, bool needed = true)
        {
            Pointer = F(view);
            if (!needed || view.IsContiguous) return;
            _storage = backend.Allocator.Rent(view.Count * sizeof(float));
            _storage.Retain();
            var copy = new View(_storage, DType.F32, view.Shape);
            backend.Copy(view, copy);
            Pointer = F(copy);
        }

        public float* Pointer { get; }

        public void Dispose() => _storage?.Release("a kernel");
    }
}

using Sfn.Kernels;

namespace Sfn.Backends.Reference;

/// <summary>
/// The meaning of every op: naive loops over host memory in float64, any element type, any strides. Faster backends are compared with
/// it, and the CPU backend inherits it for what it has no kernel for.
/// </summary>
internal unsafe class ReferenceBackend : IBackend
{
    public ReferenceBackend(Device device)
    {
        Device = device;
        Allocator = new CachingAllocator(this);
    }

    public Device Device { get; }

    public virtual string Description => "naive loops in float64";

    public CachingAllocator Allocator { get; }

    public nint Allocate(long bytes)
    {
        try
        {
            return (nint)HostMemory.Allocate(bytes);
        }
        catch (OutOfMemoryException)
        {
            return 0;
        }
    }

    public void Free(nint pointer, long bytes) => HostMemory.Free((void*)pointer);

    public void Upload(ReadOnlySpan<byte> from, in View to) => from.CopyTo(new Span<byte>(to.Pointer, from.Length));

    public void Download(in View from, Span<byte> to) => new ReadOnlySpan<byte>(from.Pointer, to.Length).CopyTo(to);

    public void Synchronize() { }

    public virtual void Fill(in View y, double value)
    {
        byte* py = y.Pointer;
        for (var w = new Walk(y.Shape, y.Strides); w.Valid; w.Next()) Element.Write(py, y.DType, w.A, value);
    }

    public virtual void Copy(in View x, in View y)
    {
        byte* px = x.Pointer, py = y.Pointer;
        for (var w = new Walk(y.Shape, x.Strides, y.Strides); w.Valid; w.Next())
            Element.Write(py, y.DType, w.B, Element.Read(px, x.DType, w.A));
    }

    public virtual void AddTo(in View x, in View y)
    {
        byte* px = x.Pointer, py = y.Pointer;
        for (var w = new Walk(y.Shape, x.Strides, y.Strides); w.Valid; w.Next())
            Element.Write(py, y.DType, w.B, Element.Read(py, y.DType, w.B) + Element.Read(px, x.DType, w.A));
    }

    public virtual void Map<TOp>(TOp op, in View x, in View y) where TOp : struct, IUnary
    {
        byte* px = x.Pointer, py = y.Pointer;
        for (var w = new Walk(y.Shape, x.Strides, y.Strides); w.Valid; w.Next())
            Element.Write(py, y.DType, w.B, op.Forward(new D1(Element.Read(px, x.DType, w.A))).V);
    }

    public virtual void MapGrad<TOp>(TOp op, in View x, in View y, in View dy, in View dx, bool accumulate) where TOp : struct, IUnary
    {
        byte* px = x.Pointer, py = y.Pointer, pdy = dy.Pointer, pdx = dx.Pointer;
        for (var w = new Walk(dx.Shape, x.Strides, y.Strides, dy.Strides, dx.Strides); w.Valid; w.Next())
        {
            double g = op.Backward(new D1(Element.Read(px, x.DType, w.A)), new D1(Element.Read(py, y.DType, w.B)), new D1(Element.Read(pdy, dy.DType, w.C))).V;
            Element.Write(pdx, dx.DType, w.D, accumulate ? Element.Read(pdx, dx.DType, w.D) + g : g);
        }
    }

    public virtual void Zip<TOp>(TOp op, in View a, in View b, in View y) where TOp : struct, IBinary
    {
        byte* pa = a.Pointer, pb = b.Pointer, py = y.Pointer;
        for (var w = new Walk(y.Shape, a.Strides, b.Strides, y.Strides); w.Valid; w.Next())
            Element.Write(py, y.DType, w.C, op.Forward(new D1(Element.Read(pa, a.DType, w.A)), new D1(Element.Read(pb, b.DType, w.B))).V);
    }

    public virtual void ZipGrad<TOp>(TOp op, int input, in View a, in View b, in View y, in View dy, in View dx) where TOp : struct, IBinary
    {
        byte* pa = a.Pointer, pb = b.Pointer, py = y.Pointer, pdy = dy.Pointer, pdx = dx.Pointer;
        var to = new Walk(dx.Shape, dx.Strides);
        for (var w = new Walk(dx.Shape, a.Strides, b.Strides, y.Strides, dy.Strides); w.Valid; w.Next(), to.Next())
        {
            D1 va = new(Element.Read(pa, a.DType, w.A)), vb = new(Element.Read(pb, b.DType, w.B));
            D1 vy = new(Element.Read(py, y.DType, w.C)), g = new(Element.Read(pdy, dy.DType, w.D));
            Element.Write(pdx, dx.DType, to.A, (input == 0 ? op.BackwardA(va, vb, vy, g) : op.BackwardB(va, vb, vy, g)).V);
        }
    }

    public virtual void Where(in View condition, in View a, in View b, in View y)
    {
        byte* pc = condition.Pointer, pa = a.Pointer, pb = b.Pointer, py = y.Pointer;
        for (var w = new Walk(y.Shape, condition.Strides, a.Strides, b.Strides, y.Strides); w.Valid; w.Next())
            Element.Write(py, y.DType, w.D, Element.Read(pc, condition.DType, w.A) != 0 ? Element.Read(pa, a.DType, w.B) : Element.Read(pb, b.DType, w.C));
    }

    public virtual void Reduce<TMonoid>(TMonoid monoid, in View x, in View y, int axes) where TMonoid : struct, IMonoid
    {
        byte* px = x.Pointer, py = y.Pointer;
        var (outer, inner) = Split(x, axes);
        var to = new Walk(y.Shape, y.Strides);
        for (var w = new Walk(y.Shape, outer); w.Valid; w.Next(), to.Next())
        {
            D1 sum = monoid.Identity<D1>();
            for (var r = new Walk(inner.Shape, inner.Strides); r.Valid; r.Next())
                sum = monoid.Combine(sum, monoid.Map(new D1(Element.Read(px, x.DType, w.A + r.A))));
            Element.Write(py, y.DType, to.A, sum.V);
        }
    }

    public virtual void ArgMax(in View x, in View y)
    {
        byte* px = x.Pointer, py = y.Pointer;
        var (outer, inner) = Split(x, 1);
        var to = new Walk(y.Shape, y.Strides);
        for (var w = new Walk(y.Shape, outer); w.Valid; w.Next(), to.Next())
        {
            long best = 0;
            double most = double.NegativeInfinity;
            for (long i = 0; i < inner.Shape[0]; i++)
            {
                double value = Element.Read(px, x.DType, w.A + i * inner.Strides[0]);
                if (value > most || (double.IsNaN(value) && !double.IsNaN(most)))
                {
                    most = value;
                    best = i;
                }
            }
            Element.Write(py, y.DType, to.A, best);
        }
    }

    public virtual void MatMul(in View a, in View b, in View c, in MatMulSpec spec)
    {
        byte* pa = a.Pointer, pb = b.Pointer, pc = c.Pointer;
        int rank = c.Rank, k = a.Shape[rank - 1];
        var bias = spec.Bias?.Expand(c.Shape);
        var extra = new Walk(c.Shape, bias?.Strides ?? default, spec.Residual?.Strides ?? default);
        for (var w = new Walk(c.Shape, RowStrides(a, rank), ColumnStrides(b, rank), c.Strides); w.Valid; w.Next(), extra.Next())
        {
            double sum = 0;
            for (int i = 0; i < k; i++)
                sum += Element.Read(pa, a.DType, w.A + i * a.Strides[rank - 1]) * Element.Read(pb, b.DType, w.B + i * b.Strides[rank - 2]);
            if (spec.Accumulate) sum += Element.Read(pc, c.DType, w.C);
            if (bias is { } add) sum += Element.Read(add.Pointer, add.DType, extra.A);
            sum = spec.Activation switch
            {
                Activation.Gelu => new Ops.Gelu().Forward(new D1(sum)).V,
                Activation.Silu => new Ops.Silu().Forward(new D1(sum)).V,
                Activation.Relu => new Ops.Relu().Forward(new D1(sum)).V,
                _ => sum,
            };
            if (spec.Residual is { } residual) sum += Element.Read(residual.Pointer, residual.DType, extra.B);
            Element.Write(pc, c.DType, w.C, sum);
        }
    }

    public virtual void Gather(in View table, in View ids, in View y)
    {
        for (int i = 0; i < ids.Shape[0]; i++) Copy(table.Select(0, Id(ids, i)), y.Select(0, i));
    }

    public virtual void ScatterAdd(in View y, in View ids, in View table)
    {
        for (int i = 0; i < ids.Shape[0]; i++) AddTo(y.Select(0, i), table.Select(0, Id(ids, i)));
    }

    protected static int Id(in View ids, int i) => (int)Element.Read(ids.Pointer, ids.DType, i * ids.Strides[0]);

    private static (Strides Outer, (Shape Shape, Strides Strides) Inner) Split(in View x, int axes)
    {
        int lead = x.Rank - axes;
        Span<int> dims = stackalloc int[axes];
        Strides inner = default;
        for (int i = 0; i < axes; i++)
        {
            dims[i] = x.Shape[lead + i];
            inner[i] = x.Strides[lead + i];
        }
        return (x.Strides, (Shape.Create(dims), inner));
    }

    private static Strides RowStrides(in View a, int rank)
    {
        var strides = a.Strides;
        strides[rank - 1] = 0;
        return strides;
    }

    private static Strides ColumnStrides(in View b, int rank)
    {
        var strides = b.Strides;
        strides[rank - 2] = 0;
        return strides;
    }
}

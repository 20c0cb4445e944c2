using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>Which dimensions a reduction combines, as bits, and whether they stay with size 1.</summary>
public readonly record struct Axes(int Mask, bool Keep)
{
    /// <summary>All dimensions of a tensor of that rank.</summary>
    public static Axes All(int rank, bool keep = false) => new((1 << rank) - 1, keep);

    /// <summary>One dimension; negative counts from the end.</summary>
    public static Axes One(Tensor x, int dim, bool keep = false) => new(1 << x.Shape.Axis(dim), keep);

    /// <summary>Several dimensions.</summary>
    public static Axes Many(Tensor x, ReadOnlySpan<int> dims, bool keep = false)
    {
        int mask = 0;
        foreach (int dim in dims) mask |= 1 << x.Shape.Axis(dim);
        return new(mask, keep);
    }

    /// <summary>The shape that is left.</summary>
    public Shape Left(in Shape shape, bool keep)
    {
        Span<int> dims = stackalloc int[shape.Rank];
        int n = 0;
        for (int i = 0; i < shape.Rank; i++)
        {
            if ((Mask >> i & 1) == 0) dims[n++] = shape[i];
            else if (keep) dims[n++] = 1;
        }
        return Shape.Create(dims[..n]);
    }

    /// <summary>Number of elements that are combined into one.</summary>
    public long Factor(in Shape shape)
    {
        long factor = 1;
        for (int i = 0; i < shape.Rank; i++) if ((Mask >> i & 1) != 0) factor *= shape[i];
        return factor;
    }

    /// <summary>The view with the combined dimensions moved to the end, and their number.</summary>
    internal (View View, int Count) Last(in View x)
    {
        Span<int> order = stackalloc int[x.Rank];
        int n = 0;
        for (int i = 0; i < x.Rank; i++) if ((Mask >> i & 1) == 0) order[n++] = i;
        int count = x.Rank - n;
        for (int i = 0; i < x.Rank; i++) if ((Mask >> i & 1) != 0) order[n++] = i;
        return (x.Permute(order), count);
    }
}

/// <summary>Shared work of the reductions.</summary>
internal static class Reductions
{
    public static Tensor Run<TMonoid>(TMonoid monoid, Tensor x, Axes axes, DType? result = null) where TMonoid : struct, IMonoid
    {
        var y = Tensor.Empty(axes.Left(x.Shape, false), result ?? x.DType, x.Device);
        var (view, count) = axes.Last(x.View);
        x.Backend.Reduce(monoid, view, y.View, count);
        if (!axes.Keep) return y;
        y.View.TryReshape(axes.Left(x.Shape, true), out var kept);
        return y.Over(kept);
    }

    /// <summary>A reduced tensor (result or its gradient) repeated to the input's shape.</summary>
    public static Tensor Spread(Tensor y, Axes axes, in Shape shape)
    {
        y.Dense().View.TryReshape(axes.Left(shape, true), out var kept);
        return y.Over(kept.Expand(shape));
    }

    /// <summary>Sums a gradient back to the shape an input had before it was broadcast: bfloat16 to float32, unrounded, where the input wants that.</summary>
    public static Tensor SumTo(Tensor g, in Shape shape, DType input = DType.BF16)
    {
        if (g.Shape == shape) return g;
        int lead = g.Rank - shape.Rank, mask = 0;
        for (int i = 0; i < g.Rank; i++) if (i < lead || (shape[i - lead] == 1 && g.Shape[i] != 1)) mask |= 1 << i;
        var sum = Run(new SumMonoid(), g, new Axes(mask, false), input == g.DType.Wide() ? input : null);
        if (!sum.View.TryReshape(shape, out var view)) throw new ShapeMismatch($"A gradient of shape {g.Shape} does not sum back to {shape}.");
        return sum.Over(view);
    }
}

using Sfn.Ops;

namespace Sfn;

/// <summary>One position of the indexer <c>x[.., 0, ^1, 2..5]</c>: an index drops its dimension, a range keeps it.</summary>
public readonly struct TensorIndex
{
    private TensorIndex(Range range, bool drops)
    {
        Range = range;
        Drops = drops;
    }

    internal Range Range { get; }

    internal bool Drops { get; }

    /// <summary>Keeps the dimension.</summary>
    public static implicit operator TensorIndex(Range range) => new(range, false);

    /// <summary>Drops the dimension.</summary>
    public static implicit operator TensorIndex(Index index) => new(new Range(index, index), true);

    /// <summary>Drops the dimension.</summary>
    public static implicit operator TensorIndex(int index) => (Index)index;
}

public sealed partial class Tensor
{
    /// <summary>Slices without a copy: <c>x[1..3, ^1]</c>. Dimensions not mentioned are kept whole.</summary>
    /// <exception cref="ShapeMismatch">More indices than dimensions, or a position that does not exist.</exception>
    [System.Runtime.CompilerServices.IndexerName("Slice")]
    public Tensor this[params ReadOnlySpan<TensorIndex> indices]
    {
        get
        {
            if (indices.Length > Rank) throw new ShapeMismatch($"{indices.Length} indices for a tensor of shape {Shape}.");
            var y = this;
            int dim = 0;
            foreach (var index in indices)
            {
                int size = y.Shape[dim], start = index.Range.Start.GetOffset(size), end = index.Drops ? start + 1 : index.Range.End.GetOffset(size);
                if (start < 0 || end < start || end > size)
                    throw new ShapeMismatch(
                        $"Index {(index.Drops ? index.Range.Start.ToString() : index.Range.ToString())} is outside dimension {dim} of shape {y.Shape}.");
                if (start != 0 || end != size) y = y.Narrow(dim, start, end - start);
                if (index.Drops) y = y.Reshape(y.Shape.Without(dim));
                else dim++;
            }
            return y;
        }
    }

    /// <summary><paramref name="length"/> positions of dimension <paramref name="dim"/> from <paramref name="start"/>, without a copy.</summary>
    public Tensor Narrow(int dim, int start, int length) => Op.Run(new Narrow(Shape.Axis(dim), start, length), this);

    /// <summary>The same elements in row-major order under another shape; a view where strides allow, else a copy. One size may be -1.</summary>
    /// <exception cref="ShapeMismatch">The numbers of elements differ.</exception>
    public Tensor Reshape(params ReadOnlySpan<int> sizes)
    {
        int unknown = sizes.IndexOf(-1);
        if (unknown < 0) return Reshape(Shape.Create(sizes));
        if (sizes[(unknown + 1)..].Contains(-1))
            throw new ShapeMismatch($"Cannot reshape {Shape} to [{string.Join(", ", sizes.ToArray())}]: only one size may be -1.");
        Span<int> dims = stackalloc int[sizes.Length];
        sizes.CopyTo(dims);
        dims[unknown] = 1;
        long known = Shape.Create(dims).Count;
        if (known == 0 || Count % known != 0)
            throw new ShapeMismatch($"Cannot reshape {Shape} to [{string.Join(", ", sizes.ToArray())}]: {Count} elements are not a multiple of {known}.");
        if (Count / known > int.MaxValue)
            throw new ShapeMismatch($"Cannot reshape {Shape}: one dimension of {Count / known} is more than {int.MaxValue}. Split it in two.");
        dims[unknown] = (int)(Count / known);
        return Reshape(Shape.Create(dims));
    }

    /// <inheritdoc cref="Reshape(ReadOnlySpan{int})"/>
    public Tensor Reshape(Shape shape) => Op.Run(new Reshape(shape), this);

    /// <summary>Dimensions reordered without a copy: dimension i of the result is dimension order[i] of this.</summary>
    public Tensor Permute(params ReadOnlySpan<int> order) => Op.Run(new Permute(Shape.Create(order)), this);

    /// <summary>Two dimensions exchanged without a copy; the last two by default. Negative counts from the end.</summary>
    public Tensor Transpose(int i = -2, int j = -1)
    {
        int a = Shape.Axis(i), b = Shape.Axis(j);
        Span<int> order = stackalloc int[Rank];
        for (int d = 0; d < Rank; d++) order[d] = d;
        (order[a], order[b]) = (order[b], order[a]);
        return Permute(order);
    }

    /// <summary>Sizes of 1 repeated to <paramref name="shape"/>, without a copy.</summary>
    public Tensor Expand(Shape shape) => Op.Run(new Expand(shape), this);

    /// <summary>A dimension of size 1 inserted before <paramref name="dim"/>, 0..rank; negative counts from the end (-1: at the end).</summary>
    /// <exception cref="ShapeMismatch">There is no such place, or the tensor has six dimensions already.</exception>
    public Tensor Unsqueeze(int dim)
    {
        int at = dim < 0 ? dim + Rank + 1 : dim;
        if (at < 0 || at > Rank) throw new ShapeMismatch($"Unsqueeze: there is no place {dim} in shape {Shape}; use {-Rank - 1}..{Rank}.");
        return Reshape(Shape.Insert(at, 1));
    }

    /// <summary>Dimension <paramref name="dim"/>, of size 1, removed.</summary>
    public Tensor Squeeze(int dim)
    {
        int axis = Shape.Axis(dim);
        if (Shape[axis] != 1) throw new ShapeMismatch($"Squeeze: dimension {dim} of {Shape} has size {Shape[axis]}, not 1.");
        return Reshape(Shape.Without(axis));
    }

    /// <summary>This tensor if its elements lie densely in row-major order, else a copy that does.</summary>
    public Tensor Contiguous() => IsContiguous ? this : Op.Run(new Contiguous(), this);

    /// <summary>The values in another element type. Floats round to nearest even; integers are cut toward zero and saturate, NaN becomes 0.</summary>
    public Tensor To(DType dtype) => dtype == DType ? this : Op.Run(new Cast(dtype), this);

    /// <summary>A copy on another device, or this tensor if it is there already. Not recorded.</summary>
    public Tensor To(Device device)
    {
        if (device == Device) return this;
        byte[] bytes = new byte[Bytes];
        using (Scope.Open("Tensor.To")) Backend.Download(Dense().View, bytes);
        var copy = Empty(Shape, DType, device);
        copy.Backend.Upload(bytes, copy.View);
        return copy;
    }
}

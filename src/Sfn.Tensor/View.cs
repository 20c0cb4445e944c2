using System.Runtime.CompilerServices;

namespace Sfn;

/// <summary>Distances in elements between neighbours along each dimension; 0 repeats, negative is not used.</summary>
[InlineArray(Shape.MaxRank)]
public struct Strides
{
    private long _first;

    /// <summary>Row-major strides of a dense tensor.</summary>
    public static Strides Dense(in Shape shape)
    {
        Strides strides = default;
        long step = 1;
        for (int i = shape.Rank - 1; i >= 0; i--)
        {
            strides[i] = step;
            step *= shape[i];
        }
        return strides;
    }
}

/// <summary>A window onto a storage: element type, shape, strides and offset, all in elements. What backends work on.</summary>
public readonly struct View
{
    /// <summary>A view of <paramref name="storage"/>.</summary>
    public View(Storage storage, DType dtype, in Shape shape, in Strides strides, long offset)
    {
        Storage = storage;
        DType = dtype;
        Shape = shape;
        Strides = strides;
        Offset = offset;
        IsContiguous = Dense(shape, strides);
    }

    /// <summary>A dense, row-major view.</summary>
    public View(Storage storage, DType dtype, in Shape shape)
    {
        Storage = storage;
        DType = dtype;
        Shape = shape;
        Strides = Strides.Dense(shape);
        IsContiguous = true;
    }

    /// <summary>The memory behind the view.</summary>
    public Storage Storage { get; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Sizes.</summary>
    public Shape Shape { get; }

    /// <summary>Element distances.</summary>
    public Strides Strides { get; }

    /// <summary>First element, counted from the start of the storage.</summary>
    public long Offset { get; }

    /// <summary>Number of dimensions.</summary>
    public int Rank => Shape.Rank;

    /// <summary>Number of elements.</summary>
    public long Count => Shape.Count;

    /// <summary>Address of the first element, for backends whose memory is host memory.</summary>
    public unsafe byte* Pointer => (byte*)Storage.Pointer + Offset * DType.Size();

    /// <summary>Whether the elements lie one after the other in row-major order.</summary>
    public bool IsContiguous { get; }

    private static bool Dense(in Shape shape, in Strides strides)
    {
        long step = 1;
        for (int i = shape.Rank - 1; i >= 0; i--)
        {
            int size = shape[i];
            if (size == 1) continue;
            if (strides[i] != step) return shape.Count == 0;
            step *= size;
        }
        return true;
    }

    /// <summary>Dimensions reordered: dimension i of the result is dimension <c>order[i]</c> of this.</summary>
    public View Permute(ReadOnlySpan<int> order)
    {
        Span<int> dims = stackalloc int[Rank];
        Strides strides = default;
        for (int i = 0; i < Rank; i++)
        {
            dims[i] = Shape[order[i]];
            strides[i] = Strides[order[i]];
        }
        return new(Storage, DType, Shape.Create(dims), strides, Offset);
    }

    /// <summary>Two dimensions exchanged.</summary>
    public View Transpose(int i, int j)
    {
        Span<int> order = stackalloc int[Rank];
        for (int d = 0; d < Rank; d++) order[d] = d;
        (order[i], order[j]) = (order[j], order[i]);
        return Permute(order);
    }

    /// <summary><paramref name="length"/> positions of dimension <paramref name="dim"/> from <paramref name="start"/>.</summary>
    public View Narrow(int dim, int start, int length) => new(Storage, DType, Shape.With(dim, length), Strides, Offset + start * Strides[dim]);

    /// <summary>Position <paramref name="index"/> of dimension <paramref name="dim"/>, which disappears.</summary>
    public View Select(int dim, int index)
    {
        Strides strides = default;
        int n = 0;
        for (int i = 0; i < Rank; i++) if (i != dim) strides[n++] = Strides[i];
        return new(Storage, DType, Shape.Without(dim), strides, Offset + index * Strides[dim]);
    }

    /// <summary>A dimension of size 1 inserted before <paramref name="dim"/>.</summary>
    public View Insert(int dim)
    {
        Strides strides = default;
        for (int i = 0; i < dim; i++) strides[i] = Strides[i];
        for (int i = dim; i < Rank; i++) strides[i + 1] = Strides[i];
        return new(Storage, DType, Shape.Insert(dim, 1), strides, Offset);
    }

    /// <summary>Sizes of 1 repeated to <paramref name="shape"/>, without a copy.</summary>
    /// <exception cref="ShapeMismatch">A size that is not 1 would change.</exception>
    public View Expand(in Shape shape)
    {
        if (Shape.Same(Shape, shape)) return this;
        Strides strides = default;
        int lead = shape.Rank - Rank;
        if (lead < 0) throw new ShapeMismatch($"Cannot expand {Shape} to {shape}: it has fewer dimensions.");
        for (int i = 0; i < Rank; i++)
        {
            if (Shape[i] == shape[lead + i]) strides[lead + i] = Shape[i] == 1 ? 0 : Strides[i];
            else if (Shape[i] == 1) strides[lead + i] = 0;
            else throw new ShapeMismatch($"Cannot expand {Shape} to {shape}: dimension {i} is {Shape[i]}, only size 1 repeats.");
        }
        return new(Storage, DType, shape, strides, Offset);
    }

    /// <summary>The same elements in another shape, if strides can express it.</summary>
    public bool TryReshape(in Shape shape, out View view)
    {
        if (IsContiguous)
        {
            view = new(Storage, DType, shape, Strides.Dense(shape), Offset);
            return true;
        }
        view = default;
        Strides strides = default;
        int to = 0, from = 0;
        // Match groups of dimensions with equal products; within a group the source must be evenly spaced.
        while (from < Rank || to < shape.Rank)
        {
            long have = from < Rank ? Shape[from] : 1, want = to < shape.Rank ? shape[to] : 1;
            int from0 = from, to0 = to;
            from++;
            to++;
            while (have != want)
            {
                if (have < want)
                {
                    if (from >= Rank) return false;
                    have *= Shape[from++];
                }
                else
                {
                    if (to >= shape.Rank) return false;
                    want *= shape[to++];
                }
            }
            long step = 0;
            bool first = true;
            for (int i = Math.Min(from, Rank) - 1; i >= from0; i--)
            {
                if (Shape[i] == 1) continue;
                if (first) step = Strides[i];
                else if (Strides[i] != SpanOf(i, from)) return false;
                first = false;
            }
            for (int i = Math.Min(to, shape.Rank) - 1; i >= to0; i--)
            {
                strides[i] = step;
                step *= shape[i];
            }
        }
        view = new(Storage, DType, shape, strides, Offset);
        return true;
    }

    // Stride that dimension i must have to continue the evenly spaced dimensions i+1 .. end-1.
    private long SpanOf(int i, int end)
    {
        for (int j = i + 1; j < end; j++)
        {
            if (Shape[j] == 1) continue;
            return Strides[j] * Shape[j];
        }
        return Strides[i];
    }
}

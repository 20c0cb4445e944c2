using System.Runtime.CompilerServices;

namespace Sfn;

[InlineArray(Shape.MaxRank)]
internal struct Dims
{
    private int _first;
}

/// <summary>The sizes of a tensor's dimensions, outermost first; up to six, stored inline. Written as <c>[batch, tokens, width]</c>.</summary>
[CollectionBuilder(typeof(Shape), nameof(Create))]
public readonly struct Shape : IEquatable<Shape>
{
    /// <summary>The largest number of dimensions.</summary>
    public const int MaxRank = 6;

    private const long MaxCount = 1L << 60;
    private readonly Dims _dims;

    private Shape(ReadOnlySpan<int> dims)
    {
        if (dims.Length > MaxRank) throw new ShapeMismatch($"A tensor has at most {MaxRank} dimensions, not {dims.Length}. Reshape to fold some of them.");
        Rank = dims.Length;
        long count = 1;
        for (int i = 0; i < dims.Length; i++)
        {
            if (dims[i] < 0) throw new ShapeMismatch($"Dimension {i} of [{string.Join(", ", dims.ToArray())}] is negative.");
            _dims[i] = dims[i];
            // A count that wrapped around would pass for a small one and hand out too little memory.
            if (dims[i] != 0 && count > MaxCount / dims[i])
                throw new ShapeMismatch($"[{string.Join(", ", dims.ToArray())}] has more elements than can be counted: at most 2^60.");
            count *= dims[i];
        }
        Count = count;
    }

    /// <summary>Builds a shape; collection expressions call this.</summary>
    /// <exception cref="ShapeMismatch">More than six dimensions, a negative one, or more than 2^60 elements.</exception>
    public static Shape Create(ReadOnlySpan<int> dims) => new(dims);

    /// <summary>Number of dimensions; 0 for a scalar.</summary>
    public int Rank { get; }

    /// <summary>Number of elements: the product of all sizes, 1 for a scalar.</summary>
    public long Count { get; }

    /// <summary>Size of dimension <paramref name="i"/>.</summary>
    public int this[int i] => (uint)i < (uint)Rank ? _dims[i] : throw Outside(i);

    // Apart, so that the indexer is small enough to be inlined.
    private ShapeMismatch Outside(int i) => new($"Dimension {i} of a tensor with {Rank} dimensions.");

    /// <summary>Size of dimension <paramref name="i"/>, counted from the end for <c>^1</c>.</summary>
    public int this[Index i] => this[i.GetOffset(Rank)];

    /// <summary>The shape with dimension <paramref name="dim"/> replaced.</summary>
    public Shape With(int dim, int size)
    {
        Span<int> dims = stackalloc int[Rank];
        CopyTo(dims);
        dims[dim] = size;
        return new(dims);
    }

    /// <summary>The shape without dimension <paramref name="dim"/>.</summary>
    public Shape Without(int dim)
    {
        Span<int> dims = stackalloc int[MaxRank];
        int n = 0;
        for (int i = 0; i < Rank; i++) if (i != dim) dims[n++] = _dims[i];
        return new(dims[..n]);
    }

    /// <summary>The shape with a dimension inserted before <paramref name="dim"/>.</summary>
    public Shape Insert(int dim, int size)
    {
        Span<int> dims = stackalloc int[Rank + 1];
        for (int i = 0; i < dim; i++) dims[i] = _dims[i];
        dims[dim] = size;
        for (int i = dim; i < Rank; i++) dims[i + 1] = _dims[i];
        return new(dims);
    }

    /// <summary>Writes the sizes into <paramref name="target"/>, which has at least <see cref="Rank"/> elements.</summary>
    public void CopyTo(Span<int> target)
    {
        for (int i = 0; i < Rank; i++) target[i] = _dims[i];
    }

    /// <summary>The sizes as an array.</summary>
    public int[] ToArray()
    {
        int[] dims = new int[Rank];
        CopyTo(dims);
        return dims;
    }

    /// <summary>The smallest shape both can be expanded to, by torch's and NumPy's rule: align at the end, sizes equal or one of them 1.</summary>
    /// <exception cref="ShapeMismatch">Two sizes differ and neither is 1.</exception>
    public static Shape Broadcast(Shape a, Shape b)
    {
        if (a.Equals(b)) return a;
        int rank = Math.Max(a.Rank, b.Rank);
        Span<int> dims = stackalloc int[rank];
        for (int i = 1; i <= rank; i++)
        {
            int x = i <= a.Rank ? a._dims[a.Rank - i] : 1, y = i <= b.Rank ? b._dims[b.Rank - i] : 1;
            if (x != y && x != 1 && y != 1)
                throw new ShapeMismatch($"{Op()}Shapes {a} and {b} do not broadcast: dimension {-i} is {x} and {y}. Sizes must be equal or 1.");
            dims[rank - i] = x == 1 ? y : x;
        }
        return new(dims);
    }

    private static string Op() => Ops.Op.Current is { Length: > 0 } op ? $"{op}: " : "";

    /// <summary>Turns a dimension counted from the end (-1 is the last) into one counted from the start.</summary>
    /// <exception cref="ShapeMismatch">There is no such dimension.</exception>
    public int Axis(int dim)
    {
        int axis = dim < 0 ? dim + Rank : dim;
        if ((uint)axis >= (uint)Rank) throw NoAxis(dim);
        return axis;
    }

    private ShapeMismatch NoAxis(int dim) => new($"Dimension {dim} does not exist in shape {this}: " +
        (Rank == 0 ? "it is a scalar, which has no dimensions." : $"use 0..{Rank - 1}, or -{Rank}..-1 counted from the end."));

    /// <summary>Enumerates the sizes.</summary>
    public IEnumerator<int> GetEnumerator()
    {
        for (int i = 0; i < Rank; i++) yield return _dims[i];
    }

    /// <inheritdoc/>
    public bool Equals(Shape other) => Same(this, other);

    /// <summary>Equality without copies of the two structs, for what runs at every op.</summary>
    internal static bool Same(in Shape a, in Shape b)
    {
        if (a.Rank != b.Rank || a.Count != b.Count) return false;
        for (int i = 0; i < a.Rank; i++) if (a._dims[i] != b._dims[i]) return false;
        return true;
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        for (int i = 0; i < Rank; i++) hash.Add(_dims[i]);
        return hash.ToHashCode();
    }

    /// <summary>Same rank and sizes.</summary>
    public static bool operator ==(Shape a, Shape b) => Same(a, b);

    /// <summary>Different rank or sizes.</summary>
    public static bool operator !=(Shape a, Shape b) => !Same(a, b);

    /// <summary>For example <c>[2, 3]</c>; <c>[]</c> for a scalar.</summary>
    public override string ToString() => $"[{string.Join(", ", ToArray())}]";
}

namespace Sfn.Backends.Cpu;

/// <summary>Cuts collapsed dimensions into the matrices that <see cref="ZipWalker"/> takes: the last two dimensions, the others as a loop.</summary>
internal ref struct ZipRows(in Collapsed dims)
{
    private readonly Collapsed _dims = dims;
    private long _next;

    public readonly record struct Part(long A, long B, long C, long Rows, long ARow, long BRow);

    public Part Current { get; private set; }

    public readonly ZipRows GetEnumerator() => this;

    /// <summary>Whether the innermost strides are 0 or 1 and the result's is 1.</summary>
    public static bool Fit(in Collapsed dims, out long aCol, out long bCol)
    {
        int last = dims.Rank - 1;
        (aCol, bCol) = (dims.A[last], dims.B[last]);
        if (dims.Columns == 1) (aCol, bCol) = (0, 0);
        // Many short runs are slower than a dense copy and one pass.
        return aCol is 0 or 1 && bCol is 0 or 1 && (dims.Columns >= 16 || dims.Rank <= 2);
    }

    public bool MoveNext()
    {
        int rank = _dims.Rank;
        long rows = rank >= 2 ? _dims.Sizes[rank - 2] : 1, parts = rank >= 2 ? _dims.Rows / Math.Max(1, rows) : 1;
        if (_next >= parts || _dims.Columns == 0 || rows == 0) return false;
        var (a, b, c) = _dims.Row(_next++ * rows);
        Current = new(a, b, c, rows, rank >= 2 ? _dims.A[rank - 2] : 0, rank >= 2 ? _dims.B[rank - 2] : 0);
        return true;
    }
}

namespace Sfn.Backends.Cpu;

/// <summary>
/// The common shape of up to three views with as few dimensions as their strides allow: sizes of 1 dropped, neighbours merged where all
/// views step evenly across them. Kernels run over the innermost dimension; the others are loops.
/// </summary>
internal struct Collapsed
{
    public int Rank;
    public Strides Sizes;
    public Strides A, B, C;

    public static Collapsed Of(in Shape shape, in Strides a, in Strides b, in Strides c)
    {
        Collapsed result = default;
        int n = 0;
        for (int i = 0; i < shape.Rank; i++)
        {
            if (shape[i] == 1) continue;
            if (n > 0 && result.A[n - 1] == a[i] * shape[i] && result.B[n - 1] == b[i] * shape[i] && result.C[n - 1] == c[i] * shape[i])
            {
                result.Sizes[n - 1] *= shape[i];
                (result.A[n - 1], result.B[n - 1], result.C[n - 1]) = (a[i], b[i], c[i]);
                continue;
            }
            result.Sizes[n] = shape[i];
            (result.A[n], result.B[n], result.C[n]) = (a[i], b[i], c[i]);
            n++;
        }
        if (n == 0)
        {
            result.Sizes[0] = 1;
            result.A[0] = result.B[0] = result.C[0] = 1;
            n = 1;
        }
        result.Rank = n;
        return result;
    }

    /// <summary>Elements of the innermost dimension.</summary>
    public readonly long Columns => Sizes[Rank - 1];

    /// <summary>Runs of the innermost dimension.</summary>
    public readonly long Rows
    {
        get
        {
            long rows = 1;
            for (int i = 0; i < Rank - 1; i++) rows *= Sizes[i];
            return rows;
        }
    }

    /// <summary>Element offsets of run number <paramref name="row"/>.</summary>
    public readonly (long A, long B, long C) Row(long row)
    {
        long a = 0, b = 0, c = 0;
        for (int i = Rank - 2; i >= 0; i--)
        {
            long at = row % Sizes[i];
            row /= Sizes[i];
            a += at * A[i];
            b += at * B[i];
            c += at * C[i];
        }
        return (a, b, c);
    }
}

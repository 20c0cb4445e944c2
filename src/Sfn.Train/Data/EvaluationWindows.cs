namespace Sfn.Train;

/// <summary>The fixed windows of the validation tokens that every evaluation of a run uses: evenly spaced, not overlapping.</summary>
public sealed class EvaluationWindows
{
    private readonly TokenFile _tokens;
    private readonly long _all;

    /// <summary>Chooses the windows.</summary>
    /// <param name="tokens">The validation tokens; at least context + 1.</param>
    /// <param name="context">Tokens per window.</param>
    /// <param name="most">At most this many windows; fewer if the file is shorter.</param>
    /// <exception cref="InputError">The file has fewer than context + 1 tokens.</exception>
    public EvaluationWindows(TokenFile tokens, int context, long most)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        tokens.NeedsWindow(context);
        (_tokens, Context, _all) = (tokens, context, (tokens.Count - 1) / context);
        Count = Math.Min(most, _all);
    }

    /// <summary>Tokens per window.</summary>
    public int Context { get; }

    /// <summary>Number of windows.</summary>
    public long Count { get; }

    /// <summary>Where window <paramref name="index"/> begins.</summary>
    public long Offset(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        return (long)((Int128)index * _all / Count) * Context;
    }

    /// <summary>Fills windows from <paramref name="first"/> on: [rows, context], row-major, and the tokens after each.</summary>
    public void Fill(long first, Span<int> tokens, Span<int> targets)
    {
        int rows = BatchSampler.Rows(tokens, targets, Context);
        for (int row = 0; row < rows; row++) BatchSampler.ReadWindow(_tokens, Offset(first + row), Context, row, tokens, targets);
    }
}

namespace Sfn.Train;

/// <summary>
/// The data order, as a pure function of seed and sequence number: any step's batch can be made without having made the ones before, so a resumed run sees
/// exactly what an uninterrupted one sees.
/// </summary>
/// <remarks>
/// Each epoch visits every window of <see cref="Context"/> tokens once, in a pseudo-random order (a Feistel network over the window numbers, walked until it
/// lands inside), and shifts the windows by a phase of its own, so that the cuts between windows differ from epoch to epoch.
/// </remarks>
public sealed class BatchSampler
{
    private const int Rounds = 6;
    private readonly TokenFile _tokens;
    private readonly ulong _seed;
    private readonly int _halfBits;
    private readonly long _phases;

    /// <summary>Makes the order.</summary>
    /// <param name="tokens">The tokens; at least context + 1.</param>
    /// <param name="context">Tokens per sequence.</param>
    /// <param name="batch">Sequences per optimizer step, all micro-batches together.</param>
    /// <param name="seed">The order's seed.</param>
    /// <exception cref="InputError">The file has fewer than context + 1 tokens.</exception>
    public BatchSampler(TokenFile tokens, int context, int batch, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        tokens.NeedsWindow(context);
        (_tokens, Context, Batch, _seed) = (tokens, context, batch, seed);
        // The last target needs one token more than the windows. With two windows or more, one is given up so that every phase has equally many.
        long whole = (tokens.Count - 1) / context;
        Windows = Math.Max(1, whole - 1);
        _phases = whole >= 2 ? context : tokens.Count - 1 - context + 1;
        int bits = 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)Windows - 1 | 1);
        _halfBits = (bits + 1) / 2;
    }

    /// <summary>Tokens per sequence.</summary>
    public int Context { get; }

    /// <summary>Sequences per optimizer step.</summary>
    public int Batch { get; }

    /// <summary>Sequences per epoch.</summary>
    public long Windows { get; }

    /// <summary>Where sequence number <paramref name="sequence"/> (from 0, over all epochs) begins in the token file.</summary>
    public long Offset(long sequence)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        long epoch = sequence / Windows;
        ulong key = Mix(_seed ^ Mix((ulong)epoch + 0x632BE59BD9B4E019));
        long phase = (long)(Mix(key) % (ulong)_phases);
        return phase + Permute(sequence % Windows, key) * Context;
    }

    /// <summary>Fills the sequences of one micro-batch: rows <paramref name="firstRow"/> and following of the step's batch.</summary>
    /// <param name="step">Optimizer step from 0.</param>
    /// <param name="firstRow">First row of the micro-batch within the step, 0 to <see cref="Batch"/> − 1.</param>
    /// <param name="tokens">[rows, context], row-major; its length sets the number of rows.</param>
    /// <param name="targets">[rows, context]: the token after each of <paramref name="tokens"/>.</param>
    public void Fill(long step, int firstRow, Span<int> tokens, Span<int> targets)
    {
        int rows = Rows(tokens, targets, Context);
        if (firstRow < 0 || firstRow + rows > Batch)
            throw new ArgumentOutOfRangeException(nameof(firstRow), $"rows {firstRow} to {firstRow + rows} of a batch of {Batch}");
        for (int row = 0; row < rows; row++) ReadWindow(_tokens, Offset(checked(step * Batch) + firstRow + row), Context, row, tokens, targets);
    }

    /// <summary>Fills a whole step's batch; see <see cref="Fill(long, int, Span{int}, Span{int})"/>.</summary>
    public void Fill(long step, Span<int> tokens, Span<int> targets) => Fill(step, 0, tokens, targets);

    internal static int Rows(Span<int> tokens, Span<int> targets, int context)
    {
        if (tokens.Length != targets.Length || tokens.Length == 0 || tokens.Length % context != 0)
            throw new ArgumentException($"{tokens.Length} tokens and {targets.Length} targets are not whole rows of {context}");
        return tokens.Length / context;
    }

    internal static void ReadWindow(TokenFile file, long offset, int context, int row, Span<int> tokens, Span<int> targets)
    {
        file.Read(offset, tokens.Slice(row * context, context));
        file.Read(offset + 1, targets.Slice(row * context, context));
    }

    // A Feistel network is a bijection on 2·halfBits bits, which are at most 4 times as many values as windows; repeating it until the value is a window
    // keeps it one.
    private long Permute(long index, ulong key)
    {
        ulong value = (ulong)index, mask = (1UL << _halfBits) - 1;
        do
        {
            ulong left = value >> _halfBits, right = value & mask;
            for (int round = 0; round < Rounds; round++) (left, right) = (right, left ^ (Mix(right + key + (ulong)round * 0x9E3779B97F4A7C15) & mask));
            value = left << _halfBits | right;
        }
        while (value >= (ulong)Windows);
        return (long)value;
    }

    // The finalizer of splitmix64 (Steele, Lea, Flood 2014).
    private static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}

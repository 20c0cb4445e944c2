namespace Sfn.Nn;

/// <summary>How the weight of a linear layer is parametrized (arXiv 2406.16450, section 3).</summary>
public enum FfnKind
{
    /// <summary>One full matrix W of M×N.</summary>
    Dense,

    /// <summary>W = U·A with A of R×N and U of M×R.</summary>
    LowRank,

    /// <summary>W = L·blockdiag(V) with V of B×(R/B)×(N/B) and L of M×R.</summary>
    BlockDense,

    /// <summary>Two block-diagonal matrices with a shuffle after each (Monarch-like).</summary>
    BlockShuffle,
}

/// <summary>The structure of the feedforward matrices. Make one with <see cref="Ffn"/>.</summary>
/// <param name="Kind">The parametrization.</param>
/// <param name="Rank">Rank R of LowRank and BlockDense, otherwise 0.</param>
/// <param name="Blocks">Number of blocks B of BlockDense and BlockShuffle, otherwise 0.</param>
public sealed record FfnConfig(FfnKind Kind, int Rank = 0, int Blocks = 0)
{
    /// <summary>
    /// Weights of a layer from <paramref name="input"/> to <paramref name="output"/> features, which is also its multiply-accumulates per token:
    /// M·N, R·(N+M), R·(M+N/B) or min(N,M)·(N+M)/B. Biases are not counted.
    /// </summary>
    public long Weights(long input, long output) => Kind switch
    {
        FfnKind.Dense => input * output,
        FfnKind.LowRank => Rank * (input + output),
        FfnKind.BlockDense => Rank * output + Rank * (input / Blocks),
        FfnKind.BlockShuffle => Math.Min(input, output) * ((input + output) / Blocks),
        _ => throw new ConfigError($"unknown feedforward kind {Kind}"),
    };

    /// <summary>Width of the inner activation between the two factors: R, or min(N, M) for BlockShuffle, or 0 for Dense.</summary>
    public int InnerWidth(int input, int output) => Kind switch
    {
        FfnKind.Dense => 0,
        FfnKind.BlockShuffle => Math.Min(input, output),
        _ => Rank,
    };

    /// <summary>A short name such as "lowrank-r192" for tables and folders.</summary>
    public override string ToString() => Kind switch
    {
        FfnKind.Dense => "dense",
        FfnKind.LowRank => $"lowrank-r{Rank}",
        FfnKind.BlockDense => $"blockdense-b{Blocks}-r{Rank}",
        _ => $"blockshuffle-b{Blocks}",
    };

    /// <summary>Checks rank and blocks against one layer's sizes.</summary>
    /// <param name="layer">The layer's name for the message, for example "feedforward up".</param>
    /// <param name="input">Features in, N.</param>
    /// <param name="output">Features out, M.</param>
    /// <exception cref="ConfigError">A size does not divide or is out of range.</exception>
    public void Validate(string layer, int input, int output)
    {
        int smaller = Math.Min(input, output);
        if (Kind is FfnKind.LowRank or FfnKind.BlockDense && (Rank < 1 || Rank > smaller))
            throw new ConfigError($"{layer} ({input} to {output}): the rank must be 1 to {smaller}, not {Rank} (--rank)");
        if (Kind is FfnKind.BlockDense or FfnKind.BlockShuffle)
        {
            if (Blocks < 1 || Blocks > smaller)
                throw new ConfigError($"{layer} ({input} to {output}): the number of blocks must be 1 to {smaller}, not {Blocks} (--blocks)");
            Divide.Check(layer, "input width", input, "the number of blocks", Blocks, "--blocks");
            if (Kind == FfnKind.BlockShuffle) Divide.Check(layer, "output width", output, "the number of blocks", Blocks, "--blocks");
            else Divide.Check(layer, "rank", Rank, "the number of blocks", Blocks, "--blocks", "--rank");
        }
    }
}

/// <summary>Names the feedforward structures: <c>Ffn.LowRank(rank: 192)</c>.</summary>
public static class Ffn
{
    /// <summary>Full matrices.</summary>
    public static FfnConfig Dense() => new(FfnKind.Dense);

    /// <summary>Two factors of rank <paramref name="rank"/>.</summary>
    public static FfnConfig LowRank(int rank) => new(FfnKind.LowRank, Rank: rank);

    /// <summary>A block-diagonal factor of <paramref name="blocks"/> blocks, then a dense one; rank <paramref name="rank"/> in total.</summary>
    public static FfnConfig BlockDense(int blocks, int rank) => new(FfnKind.BlockDense, Rank: rank, Blocks: blocks);

    /// <summary>Two block-diagonal factors of <paramref name="blocks"/> blocks with shuffles.</summary>
    public static FfnConfig BlockShuffle(int blocks) => new(FfnKind.BlockShuffle, Blocks: blocks);
}

/// <summary>Divisibility checks whose message names what does not divide and the nearest sizes that do.</summary>
internal static class Divide
{
    public static void Check(string where, string whatName, int what, string byName, int by, string byOption, string? whatOption = null)
    {
        if (by > 0 && what % by == 0) return;
        string fix = $"nearest that divide {what}: {NearestDivisors(what, by)} ({byOption})";
        if (whatOption is not null) fix += $", or nearest multiples of {by}: {NearestMultiples(what, by)} ({whatOption})";
        throw new ConfigError($"{where}: the {whatName} {what} does not divide by {byName} {by}; {fix}");
    }

    private static string NearestDivisors(int what, int by)
    {
        int below = Math.Min(Math.Max(by, 1), what), above = Math.Max(by, 1);
        while (what % below != 0) below--;
        while (above <= what && what % above != 0) above++;
        return above > what || above == below ? $"{below}" : $"{below} and {above}";
    }

    private static string NearestMultiples(int what, int by)
    {
        if (by < 1) return "any";
        long below = what / by * (long)by, above = below + by;
        return below == 0 ? $"{above}" : $"{below} and {above}";
    }
}

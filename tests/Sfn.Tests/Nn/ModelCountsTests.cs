using System.Globalization;
using Sfn.Nn;

namespace Sfn.Tests.Nn;

/// <summary>The counts against the printed figures of arXiv 2406.16450 (tables 1 and 2, and the sizes behind them).</summary>
public class ModelCountsTests
{
    private const int PaperBatch = 512;

    private static readonly Dictionary<string, (TransformerConfig Config, long Steps)> s_sizes = new()
    {
        ["s"] = (TransformerConfig.PaperS, 4_196),
        ["m"] = (TransformerConfig.PaperM, 12_779),
        ["l"] = (TransformerConfig.PaperL, 27_809),
        ["xl"] = (TransformerConfig.PaperXl, 48_637),
    };

    private static FfnConfig Structure(string text)
    {
        string[] part = text.Split('-');
        int[] n = [.. part.Skip(1).Select(p => int.Parse(p, CultureInfo.InvariantCulture))];
        return part[0] switch { "dense" => Ffn.Dense(), "lr" => Ffn.LowRank(n[0]), "bs" => Ffn.BlockShuffle(n[0]), _ => Ffn.BlockDense(n[0], n[1]) };
    }

    [Theory]
    [InlineData("s", "dense", "109.6", "56.6", "1.695e18")]
    [InlineData("s", "lr-384", "90.17", "37.2", "1.438e18")]
    [InlineData("s", "bs-2", "90.17", "37.2", "1.438e18")]
    [InlineData("s", "bd-2-512", "90.17", "37.2", "1.438e18")]
    [InlineData("s", "lr-192", "73.95", "20.9", "1.224e18")]
    [InlineData("s", "bs-4", "73.95", "20.9", "1.224e18")]
    [InlineData("s", "bd-2-256", "73.95", "20.9", "1.224e18")]
    [InlineData("m", "dense", "335.1", "201.3", "1.548e19")]
    [InlineData("m", "lr-512", "262.7", "129.0", "1.257e19")]
    [InlineData("m", "bs-2", "262.7", "129.0", "1.257e19")]
    [InlineData("m", "bd-4-768", "255.2", "121.4", "1.227e19")]
    [InlineData("m", "lr-256", "202.4", "68.7", "1.015e19")]
    [InlineData("m", "bs-4", "202.4", "68.7", "1.015e19")]
    [InlineData("m", "bd-4-384", "198.7", "64.9", "1.000e19")]
    [InlineData("l", "dense", "729.1", "453.0", "7.034e19")]
    [InlineData("l", "lr-768", "566.3", "290.2", "5.610e19")]
    [InlineData("l", "bs-2", "566.3", "290.2", "5.610e19")]
    [InlineData("l", "bd-2-1024", "566.3", "290.2", "5.610e19")]
    [InlineData("l", "lr-384", "430.7", "154.5", "4.424e19")]
    [InlineData("l", "bs-4", "430.7", "154.5", "4.424e19")]
    [InlineData("l", "bd-2-512", "430.7", "154.5", "4.424e19")]
    [InlineData("xl", "dense", "1274.1", "805.3", "2.102e20")]
    [InlineData("xl", "lr-1024", "984.7", "515.9", "1.660e20")]
    [InlineData("xl", "bs-2", "984.7", "515.9", "1.660e20")]
    [InlineData("xl", "bd-4-1536", "954.6", "485.8", "1.614e20")]
    [InlineData("xl", "lr-512", "743.6", "274.7", "1.291e20")]
    [InlineData("xl", "bs-4", "743.6", "274.7", "1.291e20")]
    [InlineData("xl", "bd-4-768", "728.5", "259.7", "1.268e20")]
    public void Sizes_and_flops_match_the_paper_to_the_printed_digit(string size, string structure, string total, string ffn, string flops)
    {
        var (config, steps) = s_sizes[size];
        var counts = new ModelCounts(config with { FeedForward = Structure(structure) });
        Assert.Equal(total, Millions(counts.Parameters, Digits(total)));
        Assert.Equal(ffn, Millions(counts.FeedForward, Digits(ffn)));
        Assert.Equal(flops, Scientific(counts.TrainingFlops(PaperBatch, steps), flops));
    }

    [Theory]
    [InlineData("m", 4864, 16, 4, 0, 0, 6.7e9, "335", "1.55e19")]
    [InlineData("m", 4864, 8, 4, 512, 512, 10.58e9, "219", "1.55e19")]
    [InlineData("l", 7424, 12, 2, 0, 0, 14.58e9, "729", "7.03e19")]
    [InlineData("l", 7424, 12, 4, 768, 768, 23.36e9, "464", "7.03e19")]
    public void Wide_and_structured_models_match_the_paper(string size, int ffn, int heads, int kvHeads, int attention, int rank, double tokens, string total,
        string flops)
    {
        var config = s_sizes[size].Config with
        {
            FfnWidth = ffn,
            Heads = heads,
            KvHeads = kvHeads,
            AttentionWidth = attention,
            FeedForward = rank == 0 ? Ffn.Dense() : Ffn.LowRank(rank),
        };
        var counts = new ModelCounts(config);
        Assert.Equal(total, Millions(counts.Parameters, 0));
        long steps = (long)(tokens / PaperBatch / config.Context);
        Assert.Equal(flops, Scientific(counts.TrainingFlops(PaperBatch, steps), flops));
    }

    [Fact]
    public void Plain_models_of_table_2()
    {
        Assert.Equal("335", Millions(new ModelCounts(TransformerConfig.PaperM).Parameters, 0));
        Assert.Equal("729", Millions(new ModelCounts(TransformerConfig.PaperL).Parameters, 0));
    }

    [Fact]
    public void Steps_of_the_paper_follow_from_its_tokens()
    {
        var tokens = new Dictionary<string, double> { ["s"] = 2.2e9, ["m"] = 6.7e9, ["l"] = 14.58e9, ["xl"] = 25.5e9 };
        foreach (var (size, (config, steps)) in s_sizes) Assert.Equal(steps, (long)(tokens[size] / PaperBatch / config.Context));
    }

    [Fact]
    public void Shares_of_a_feedforward_follow_the_closed_forms()
    {
        const double h = 400;
        static double Share(FfnConfig structure) => (structure.Weights(400, 1600) + structure.Weights(1600, 400)) / (8 * h * h);
        Assert.Equal(1.25 * 100 / h, Share(Ffn.LowRank(100)), 12);
        Assert.Equal(1.25 / 4, Share(Ffn.BlockShuffle(4)), 12);
        Assert.Equal(0.625 * (100 / h) * (1 + 1.0 / 4), Share(Ffn.BlockDense(4, 100)), 12);
    }

    [Fact]
    public void BlockDense_with_one_block_counts_as_low_rank() =>
        Assert.Equal(Ffn.LowRank(96).Weights(384, 1536), Ffn.BlockDense(1, 96).Weights(384, 1536));

    [Fact]
    public void Memory_estimate_grows_with_the_batch_and_covers_the_optimizer()
    {
        var counts = new ModelCounts(TransformerConfig.Tiny);
        Assert.True(counts.TrainingBytes(2) > counts.TrainingBytes(1));
        Assert.True(counts.TrainingBytes(1) > 16 * counts.Parameters);
    }

    private static int Digits(string printed) => printed.Split('e')[0] is var m && m.Contains('.') ? m.Length - m.IndexOf('.') - 1 : 0;

    private static string Millions(long value, int digits) => (value / 1e6).ToString("F" + digits, CultureInfo.InvariantCulture);

    // The paper prints each column with one exponent: 9.997e18 stands there as 1.000e19.
    private static string Scientific(double value, string like)
    {
        string exponent = like.Split('e')[1];
        double unit = double.Parse("1e" + exponent, CultureInfo.InvariantCulture);
        return (value / unit).ToString("F" + Digits(like), CultureInfo.InvariantCulture) + "e" + exponent;
    }
}

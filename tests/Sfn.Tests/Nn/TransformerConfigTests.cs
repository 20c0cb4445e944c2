using Sfn.Nn;

namespace Sfn.Tests.Nn;

public class TransformerConfigTests
{
    [Fact]
    public void All_presets_are_valid()
    {
        foreach (string name in TransformerConfig.PresetNames) TransformerConfig.Preset(name).Validate();
        Assert.Contains("tiny, small, s, m, l, xl", Assert.Throws<ConfigError>(() => TransformerConfig.Preset("huge")).Message, StringComparison.Ordinal);
    }

    private static string Refusal(TransformerConfig config)
    {
        string message = Assert.Throws<ConfigError>(() => config.Validate()).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }

    [Fact]
    public void Sizes_that_do_not_divide_name_the_nearest_that_do()
    {
        var tiny = TransformerConfig.Tiny with { Width = 192 };
        Assert.Equal("attention: the attention width 192 does not divide by the number of heads 5; nearest that divide 192: 4 and 6 (--heads), " +
            "or nearest multiples of 5: 190 and 195 (--width)", Refusal(tiny with { Heads = 5 }));
        Assert.Contains("nearest that divide 6: 3 and 6 (--kv-heads)", Refusal(tiny with { KvHeads = 4 }), StringComparison.Ordinal);
        Assert.Contains("feedforward up: the input width 192 does not divide by the number of blocks 5; nearest that divide 192: 4 and 6 (--blocks)",
            Refusal(tiny with { FeedForward = Ffn.BlockShuffle(5) }), StringComparison.Ordinal);
        Assert.Contains("the rank 50 does not divide by the number of blocks 4; nearest that divide 50: 2 and 5 (--blocks), or nearest multiples of 4: 48 " +
            "and 52 (--rank)",
            Refusal(tiny with { FeedForward = Ffn.BlockDense(4, 50) }), StringComparison.Ordinal);
        Assert.Contains("189 / 9 heads is 21; nearest attention widths: 180 and 198 (--width)",
            Refusal(tiny with { Width = 189, Heads = 9 }), StringComparison.Ordinal);
    }

    [Fact]
    public void Sizes_out_of_range_are_refused()
    {
        var tiny = TransformerConfig.Tiny;
        Assert.Contains("--layers", Refusal(tiny with { Layers = 0 }), StringComparison.Ordinal);
        Assert.Contains("must be 1 to 192, not 193", Refusal(tiny with { FeedForward = Ffn.LowRank(193) }), StringComparison.Ordinal);
        Assert.Contains("must be 1 to 192, not 0", Refusal(tiny with { FeedForward = Ffn.BlockShuffle(0) }), StringComparison.Ordinal);
        Assert.Contains("--dropout", Refusal(tiny with { Dropout = 1 }), StringComparison.Ordinal);
        Assert.Contains("--dropout", Refusal(tiny with { Dropout = float.NaN }), StringComparison.Ordinal);
        Assert.Contains("--kv-heads", Refusal(tiny with { KvHeads = -1 }), StringComparison.Ordinal);
    }

    [Fact]
    public void Defaults_are_filled_in()
    {
        var s = TransformerConfig.PaperS;
        Assert.Equal((768, 12, 3072, 64, 768, 3072), (s.QueryWidth, s.KeyValueHeads, s.HiddenWidth, s.HeadWidth, s.KeyValueWidth, s.UpWidth));
        Assert.Equal(6144, (s with { Activation = ActivationKind.SwiGlu }).UpWidth);
        var structured = s with { FeedForward = Ffn.LowRank(192) };
        Assert.Equal(FfnKind.Dense, structured.FeedForwardOf(0).Kind);
        Assert.Equal(FfnKind.LowRank, structured.FeedForwardOf(1).Kind);
        Assert.Equal(FfnKind.LowRank, (structured with { DenseFirstLayer = false }).FeedForwardOf(0).Kind);
    }
}

using System.Globalization;
using System.Text.Json;

namespace Sfn.Sdk.Tests.Cli;

/// <summary><c>sfn info</c> against the printed sizes of arXiv 2406.16450 (Tables 1 and 2).</summary>
public sealed class InfoTests(SfnCommand sfn) : IClassFixture<SfnCommand>
{
    [Theory]
    [InlineData("s", "dense", "109.6", "56.6", "1.695e18")]
    [InlineData("s", "lowrank --rank 384", "90.17", "37.2", "1.438e18")]
    [InlineData("s", "blockshuffle --blocks 2", "90.17", "37.2", "1.438e18")]
    [InlineData("s", "blockdense --blocks 2 --rank 512", "90.17", "37.2", "1.438e18")]
    [InlineData("s", "lowrank --rank 192", "73.95", "20.9", "1.224e18")]
    [InlineData("s", "blockshuffle --blocks 4", "73.95", "20.9", "1.224e18")]
    [InlineData("s", "blockdense --blocks 2 --rank 256", "73.95", "20.9", "1.224e18")]
    [InlineData("m", "dense", "335.1", "201.3", "1.548e19")]
    [InlineData("m", "lowrank --rank 512", "262.7", "129.0", "1.257e19")]
    [InlineData("m", "blockshuffle --blocks 2", "262.7", "129.0", "1.257e19")]
    [InlineData("m", "blockdense --blocks 4 --rank 768", "255.2", "121.4", "1.227e19")]
    [InlineData("m", "lowrank --rank 256", "202.4", "68.7", "1.015e19")]
    [InlineData("m", "blockshuffle --blocks 4", "202.4", "68.7", "1.015e19")]
    [InlineData("m", "blockdense --blocks 4 --rank 384", "198.7", "64.9", "1.000e19")]
    [InlineData("l", "dense", "729.1", "453.0", "7.034e19")]
    [InlineData("l", "lowrank --rank 768", "566.3", "290.2", "5.610e19")]
    [InlineData("l", "blockshuffle --blocks 2", "566.3", "290.2", "5.610e19")]
    [InlineData("l", "blockdense --blocks 2 --rank 1024", "566.3", "290.2", "5.610e19")]
    [InlineData("l", "lowrank --rank 384", "430.7", "154.5", "4.424e19")]
    [InlineData("l", "blockshuffle --blocks 4", "430.7", "154.5", "4.424e19")]
    [InlineData("l", "blockdense --blocks 2 --rank 512", "430.7", "154.5", "4.424e19")]
    [InlineData("xl", "dense", "1274.1", "805.3", "2.102e20")]
    [InlineData("xl", "lowrank --rank 1024", "984.7", "515.9", "1.660e20")]
    [InlineData("xl", "blockshuffle --blocks 2", "984.7", "515.9", "1.660e20")]
    [InlineData("xl", "blockdense --blocks 4 --rank 1536", "954.6", "485.8", "1.614e20")]
    [InlineData("xl", "lowrank --rank 512", "743.6", "274.7", "1.291e20")]
    [InlineData("xl", "blockshuffle --blocks 4", "743.6", "274.7", "1.291e20")]
    [InlineData("xl", "blockdense --blocks 4 --rank 768", "728.5", "259.7", "1.268e20")]
    public void Reproduces_the_papers_sizes(string preset, string structure, string parameters, string feedforward, string flops) =>
        Check($"--preset {preset} --ffn {structure}", parameters, feedforward, flops);

    [Theory]
    [InlineData("--preset m --tokens 6.7e9", "335", "1.55e19")]
    [InlineData("--preset m --tokens 6.7e9 --ffn-width 4864 --heads 16 --kv-heads 4", "335", "1.55e19")]
    [InlineData("--preset m --tokens 10.58e9 --ffn-width 4864 --attention-width 512 --heads 8 --kv-heads 4 --ffn lowrank --rank 512", "219", "1.55e19")]
    [InlineData("--preset l --tokens 14.58e9", "729", "7.03e19")]
    [InlineData("--preset l --tokens 14.58e9 --ffn-width 7424 --heads 12 --kv-heads 2", "729", "7.03e19")]
    [InlineData("--preset l --tokens 23.36e9 --ffn-width 7424 --attention-width 768 --heads 12 --kv-heads 4 --ffn lowrank --rank 768", "464", "7.03e19")]
    public void Reproduces_the_wide_and_structured_models(string arguments, string parameters, string flops) => Check(arguments, parameters, null, flops);

    [Fact]
    public void Table_shows_what_the_json_says()
    {
        string table = sfn.Run("info --preset s --ffn lowrank --rank 192").Out;
        Assert.Contains("73.95 M", table);
        Assert.Contains("1.224e18", table);
        Assert.Contains("4,196", table);
        Assert.DoesNotContain('\e', table);
    }

    [Fact]
    public void Memory_follows_the_precision()
    {
        (long All, long State) Bytes(string precision)
        {
            using var json = JsonDocument.Parse(sfn.Run($"info --preset s --precision {precision} --json").Out);
            Assert.Equal(precision, json.RootElement.GetProperty("precision").GetString());
            return (json.RootElement.GetProperty("memory_bytes").GetInt64(), json.RootElement.GetProperty("memory_bytes_state").GetInt64());
        }
        var (wide, brief) = (Bytes("fp32"), Bytes("bf16"));
        Assert.Equal(wide, Bytes("tf32"));
        // 18 bytes per parameter instead of 16, and half the activations.
        Assert.Equal(18L * wide.State, 16L * brief.State);
        Assert.InRange((double)(brief.All - brief.State) / (wide.All - wide.State), 0.5, 0.52);
    }

    [Fact]
    public void Devices_lists_the_cpu()
    {
        var outcome = sfn.Run("devices");
        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.Contains("cpu (default)", outcome.Out);
        Assert.Contains("threads", outcome.Out);
    }

    private void Check(string arguments, string parameters, string? feedforward, string flops)
    {
        var outcome = sfn.Run($"info {arguments} --json");
        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        using var json = JsonDocument.Parse(outcome.Out);
        var info = json.RootElement;
        Assert.Equal(parameters, Rounded(info.GetProperty("parameters").GetDouble() / 1e6, parameters));
        if (feedforward is not null) Assert.Equal(feedforward, Rounded(info.GetProperty("parameters_feedforward").GetDouble() / 1e6, feedforward));
        // The paper prints a column with one exponent: 9.997e18 stands there as 1.000e19.
        string[] parts = flops.Split('e');
        double unit = double.Parse("1e" + parts[1], CultureInfo.InvariantCulture);
        Assert.Equal(parts[0], Rounded(info.GetProperty("flops_per_run").GetDouble() / unit, parts[0]));
        Assert.True(info.GetProperty("memory_bytes").GetInt64() > 16 * info.GetProperty("parameters").GetInt64());
    }

    private static string Rounded(double value, string like)
    {
        int digits = like.Contains('.') ? like.Length - like.IndexOf('.') - 1 : 0;
        return value.ToString("F" + digits, CultureInfo.InvariantCulture);
    }
}

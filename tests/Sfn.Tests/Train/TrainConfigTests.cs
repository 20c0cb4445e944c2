using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Tests.Train;

public class TrainConfigTests
{
    [Fact]
    public void Every_preset_is_valid_and_survives_JSON()
    {
        foreach (string name in TransformerConfig.PresetNames)
        {
            var config = TrainConfig.FromPreset(name).Validate();
            Assert.Equal(config, TrainConfig.FromJson(config.ToJson()));
            Assert.Equal(config.Resolve(), TrainConfig.FromJson(config.Resolve().ToJson()));
            Assert.Equal(config.Resolve(), config.Resolve().Resolve());
            Assert.Equal(TransformerConfig.Preset(name), config.Model());
        }
        var odd = TrainConfig.FromPreset("s") with
        {
            Ffn = FfnKind.BlockShuffle,
            Blocks = 2,
            Norm = NormKind.RmsNorm,
            Activation = ActivationKind.SwiGlu,
            Positions = PositionKind.Learned,
            Decay = DecayGroup.Matrices,
            Seed = ulong.MaxValue,
            Data = "ä \"b\".txt",
            Validation = "0.2",
            Name = "x",
            MinLearningRate = 0,
            Warmup = 0,
            Dropout = 0.1f,
            Tokenizer = "chars",
            Characters = "aé𝄞",
        };
        Assert.Equal(odd, TrainConfig.FromJson(odd.ToJson()));
    }

    [Fact]
    public void A_partial_file_lies_over_its_preset()
    {
        var config = TrainConfig.FromJson("""{ "preset": "s", "layers": 3, "ffn": "blockdense", "lr": 1e-4 /* slow */, }""");
        Assert.Equal(TrainConfig.FromPreset("s") with { Layers = 3, Ffn = FfnKind.BlockDense, LearningRate = 1e-4f }, config);
        Assert.Equal(Ffn.BlockDense(4, 192), config.Model().FeedForward);
        Assert.Equal(TrainConfig.FromPreset("tiny"), TrainConfig.FromJson("{}"));
        Assert.Equal(TrainConfig.FromPreset("m") with { Layers = 3 }, TrainConfig.FromJson("""{ "preset": "s", "layers": 3 }""", preset: "m"));
    }

    [Theory]
    [InlineData("""{ "layer": 3 }""", "layer")]
    [InlineData("""{ "layers": "three" }""", "layers")]
    [InlineData("""{ "ffn": "monarch" }""", "ffn")]
    [InlineData("""{ "ffn": 1 }""", "ffn")]
    [InlineData("""{ "layers": 1""", "JSON")]
    [InlineData("""[1]""", "object")]
    [InlineData("""{ "preset": "xxl" }""", "xxl")]
    [InlineData("""{ "tokens_per_step": 5 }""", "tokens_per_step")]
    public void A_wrong_file_is_refused_in_one_line(string json, string named)
    {
        string message = Assert.Throws<InputError>(() => TrainConfig.FromJson(json, "c.json")).Message;
        Assert.Contains(named, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        if (named != "xxl") Assert.StartsWith("c.json", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_values_name_their_option()
    {
        var tiny = TrainConfig.FromPreset("tiny");
        (TrainConfig Config, string[] Named)[] cases =
        [
            (tiny with { Heads = 5 }, ["--heads", "192", "4 and 6"]),
            (tiny with { Rank = 500 }, ["--rank", "192"]),
            (tiny with { Ffn = FfnKind.BlockShuffle, Blocks = 5 }, ["--blocks", "4 and 6"]),
            (tiny with { Layers = 0 }, ["--layers"]),
            (tiny with { Batch = 0 }, ["--batch"]),
            (tiny with { Accumulate = 0 }, ["--accumulate"]),
            (tiny with { Steps = 0 }, ["--steps"]),
            (tiny with { LearningRate = 0 }, ["--lr"]),
            (tiny with { LearningRate = float.NaN }, ["--lr"]),
            (tiny with { MinLearningRate = 1 }, ["--min-lr"]),
            (tiny with { Steps = 400, Warmup = 401 }, ["--warmup", "400"]),
            (tiny with { WeightDecay = -1 }, ["--weight-decay"]),
            (tiny with { Beta1 = 1 }, ["--beta1"]),
            (tiny with { Beta2 = -1 }, ["--beta2"]),
            (tiny with { Clip = -1 }, ["--clip"]),
            (tiny with { Dropout = 1 }, ["--dropout"]),
            (tiny with { EvalEvery = -1 }, ["--eval-every"]),
            (tiny with { EvalBatches = -1 }, ["--eval-batches"]),
            (tiny with { Threads = -1 }, ["--threads"]),
            (tiny with { Device = "tpu" }, ["--device", "tpu", "cpu"]),
            (tiny with { Tokenizer = "words" }, ["--tokenizer", "bytes"]),
            (tiny with { Data = "" }, ["--data"]),
        ];
        foreach (var (config, named) in cases)
        {
            string message = Assert.Throws<InputError>(config.Validate).Message;
            foreach (string part in named) Assert.Contains(part, message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_hash_follows_the_numbers_and_nothing_else()
    {
        var tiny = TrainConfig.FromPreset("tiny");
        foreach (var same in new[] { tiny with { Name = "x" }, tiny with { Out = "y" }, tiny with { Threads = 7 }, tiny with { Data = "z" },
            tiny with { LogEvery = 5 }, tiny with { CheckpointEvery = 3 }, tiny.Resolve() })
            Assert.Equal(tiny.Hash(), same.Hash());
        foreach (var other in new[] { tiny with { Seed = 2 }, tiny with { Layers = 3 }, tiny with { Steps = 3 }, tiny with { LearningRate = 1 },
            tiny with { Ffn = FfnKind.Dense }, tiny with { EvalEvery = 7 } })
            Assert.NotEqual(tiny.Hash(), other.Hash());
    }
}

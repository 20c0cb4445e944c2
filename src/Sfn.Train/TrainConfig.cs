using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using Sfn.Nn;

namespace Sfn.Train;

/// <summary>
/// Everything that determines a run: what <c>sfn train</c> can set, and what config.json holds. Begin with <see cref="FromPreset"/> or
/// <see cref="Load"/> and change it with <c>with</c>. A value of null, or 0 where said so, stands for a default that follows from the others;
/// <see cref="Resolve"/> fills them in.
/// </summary>
public sealed partial record TrainConfig
{
    /// <summary>The preset the other values began with: tiny, small, s, m, l or xl.</summary>
    public string Preset { get; init; } = "tiny";

    /// <summary>A text file, a folder of *.txt files, or "sdk-docs".</summary>
    public string Data { get; init; } = Train.DataOptions.SdkDocsName;

    /// <summary>A share or a text file; null for the data's own default.</summary>
    public string? Validation { get; init; }

    /// <summary>"bytes" or "chars".</summary>
    public string Tokenizer { get; init; } = "bytes";

    /// <summary>The vocabulary of "chars" in token order; the trainer sets it from the training text if it is null.</summary>
    public string? Characters { get; init; }

    /// <summary>Number of layers.</summary>
    public int Layers { get; init; }

    /// <summary>Query heads per layer.</summary>
    public int Heads { get; init; }

    /// <summary>Key and value heads; 0: as many as query heads.</summary>
    public int KvHeads { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public int Width { get; init; }

    /// <summary>Width of all query heads together; 0: <see cref="Width"/>.</summary>
    public int AttentionWidth { get; init; }

    /// <summary>Width of the feedforward's hidden layer; 0: four times <see cref="Width"/>.</summary>
    public int FfnWidth { get; init; }

    /// <summary>Tokens the model sees at once.</summary>
    public int Context { get; init; }

    /// <summary>Structure of the feedforward matrices.</summary>
    public FfnKind Ffn { get; init; }

    /// <summary>Rank of lowrank and blockdense; 0: a quarter of <see cref="Width"/>.</summary>
    public int Rank { get; init; }

    /// <summary>Blocks of blockdense and blockshuffle; 0: 4.</summary>
    public int Blocks { get; init; }

    /// <summary>Whether layer 0 keeps dense feedforward matrices, as in the paper.</summary>
    public bool DenseFirstLayer { get; init; } = true;

    /// <summary>The normalization.</summary>
    public NormKind Norm { get; init; }

    /// <summary>The feedforward's nonlinearity.</summary>
    public ActivationKind Activation { get; init; }

    /// <summary>How positions enter the model.</summary>
    public PositionKind Positions { get; init; }

    /// <summary>Whether linear layers and LayerNorm have biases.</summary>
    public bool Bias { get; init; } = true;

    /// <summary>Whether the head shares the embedding's matrix.</summary>
    public bool Tied { get; init; } = true;

    /// <summary>Probability of dropping an activation, 0 to below 1.</summary>
    public float Dropout { get; init; }

    /// <summary>What the model computes in; its parameters and the optimizer's state are float32 in any case.</summary>
    public Precision Precision { get; init; }

    /// <summary>Sequences per micro-batch.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>Micro-batches per step.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>Optimizer steps.</summary>
    public long Steps { get; init; } = 1_200;

    /// <summary>Peak learning rate.</summary>
    [JsonPropertyName("lr")]
    public float LearningRate { get; init; } = 3e-3f;

    /// <summary>Learning rate at the end; null: a tenth of the peak.</summary>
    [JsonPropertyName("min_lr")]
    public float? MinLearningRate { get; init; }

    /// <summary>Steps of linear warm-up; null: a tenth of the steps.</summary>
    public long? Warmup { get; init; }

    /// <summary>Decoupled weight decay.</summary>
    public float WeightDecay { get; init; } = 0.1f;

    /// <summary>Which parameters decay.</summary>
    public DecayGroup Decay { get; init; } = DecayGroup.All;

    /// <summary>AdamW's decay rate of the first moment.</summary>
    public float Beta1 { get; init; } = 0.9f;

    /// <summary>AdamW's decay rate of the second moment.</summary>
    public float Beta2 { get; init; } = 0.999f;

    /// <summary>Largest norm of all gradients together; 0: no clipping.</summary>
    public float Clip { get; init; } = 1;

    /// <summary>Steps between evaluations; 0: only at the end; null: an eighth of the steps.</summary>
    public long? EvalEvery { get; init; }

    /// <summary>Batches per evaluation; 0: the whole validation split.</summary>
    public int EvalBatches { get; init; } = 8;

    /// <summary>Steps between checkpoints; 0: only at the end; null: a tenth of the steps, at most 500.</summary>
    public long? CheckpointEvery { get; init; }

    /// <summary>Steps between lines of metrics.jsonl.</summary>
    public long LogEvery { get; init; } = 1;

    /// <summary>Seed of the initial weights, the data order and dropout.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>CPU threads; 0: all processors. Results do not depend on it.</summary>
    public int Threads { get; init; }

    /// <summary>Device by name, for example "cpu" or "cuda:0"; "best" is the fastest of the machine.</summary>
    public string Device { get; init; } = "best";

    /// <summary>The run's name: its folder in <see cref="Out"/>; null to number it.</summary>
    public string? Name { get; init; }

    /// <summary>The folder of all runs.</summary>
    public string Out { get; init; } = "runs";

    /// <summary>Sequences per optimizer step.</summary>
    [JsonIgnore]
    public long SequencesPerStep => (long)Batch * Accumulate;

    /// <summary>Tokens per optimizer step.</summary>
    [JsonIgnore]
    public long TokensPerStep => SequencesPerStep * Context;

    /// <summary>The configuration of a preset.</summary>
    /// <param name="name">tiny, small, s, m, l or xl.</param>
    /// <exception cref="InputError">There is no such preset.</exception>
    public static TrainConfig FromPreset(string name)
    {
        RunPreset preset;
        try { preset = RunPreset.Of(name); }
        catch (ConfigError error) { throw new InputError($"{error.Message} (--preset)", error); }
        var model = preset.Model;
        return new()
        {
            Preset = name,
            Layers = model.Layers,
            Heads = model.Heads,
            KvHeads = model.KvHeads,
            Width = model.Width,
            AttentionWidth = model.AttentionWidth,
            FfnWidth = model.FfnWidth,
            Context = model.Context,
            Ffn = model.FeedForward.Kind,
            Rank = model.FeedForward.Rank,
            Blocks = model.FeedForward.Blocks,
            DenseFirstLayer = model.DenseFirstLayer,
            Norm = model.Norm,
            Activation = model.Activation,
            Positions = model.Positions,
            Bias = model.Bias,
            Tied = model.Tied,
            Dropout = model.Dropout,
            Batch = preset.Batch,
            Accumulate = preset.Accumulate,
            Steps = preset.Steps,
            LearningRate = preset.LearningRate,
            Beta2 = preset.Beta2,
        };
    }

    /// <summary>The model's configuration.</summary>
    /// <param name="vocabularySize">The tokenizer's; null for the preset's own (256, or 32,000 for the paper's sizes).</param>
    public TransformerConfig Model(int? vocabularySize = null) => new()
    {
        VocabularySize = vocabularySize ?? TransformerConfig.Preset(Preset).VocabularySize,
        Context = Context,
        Layers = Layers,
        Width = Width,
        AttentionWidth = AttentionWidth,
        Heads = Heads,
        KvHeads = KvHeads,
        FfnWidth = FfnWidth,
        FeedForward = Ffn switch
        {
            FfnKind.LowRank => Nn.Ffn.LowRank(RankOrDefault),
            FfnKind.BlockDense => Nn.Ffn.BlockDense(BlocksOrDefault, RankOrDefault),
            FfnKind.BlockShuffle => Nn.Ffn.BlockShuffle(BlocksOrDefault),
            _ => Nn.Ffn.Dense(),
        },
        DenseFirstLayer = DenseFirstLayer,
        Norm = Norm,
        Activation = Activation,
        Positions = Positions,
        Bias = Bias,
        Tied = Tied,
        Dropout = Dropout,
        Numerics = Precision.Numerics(),
    };

    /// <summary>The data's options.</summary>
    public DataOptions DataOptions() => new DataOptions()
    {
        Data = Data,
        Validation = Validation,
        Tokenizer = Tokenizer,
        Existing = Tokenizer == "chars" && Characters is null ? null : TokenizerDescription(),
        Context = Context,
    };

    /// <summary>The tokenizer's description, complete once the run has begun.</summary>
    public TokenizerDescription? TokenizerDescription() => Tokenizer is "bytes" or "chars" ? new(Tokenizer, Characters) : null;

    /// <summary>The learning rate of a step from 0: linear warm-up, then half a cosine.</summary>
    public float LearningRateAt(long step) => Schedule.Cosine(step, LearningRate, WarmupOrDefault, Steps, MinLearningRate);

    /// <summary>Fills in every default that depends on other values, so that config.json says all of them.</summary>
    public TrainConfig Resolve() => this with
    {
        Rank = Ffn is FfnKind.LowRank or FfnKind.BlockDense ? RankOrDefault : 0,
        Blocks = Ffn is FfnKind.BlockDense or FfnKind.BlockShuffle ? BlocksOrDefault : 0,
        MinLearningRate = MinLearningRate ?? LearningRate / 10,
        Warmup = WarmupOrDefault,
        EvalEvery = EvalEvery ?? Math.Max(1, Steps / 8),
        CheckpointEvery = CheckpointEvery ?? Math.Clamp(Steps / 10, 1, 500),
    };

    /// <summary>
    /// SHA-256 of all values that a run's numbers depend on: not of names, folders, threads, and how often is logged or stored.
    /// </summary>
    public string Hash()
    {
        var numbers = Resolve() with { Data = "", Validation = null, Name = null, Out = "", Threads = 0, LogEvery = 1, CheckpointEvery = 0, Preset = "tiny" };
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(numbers.ToJson())));
    }

    private int RankOrDefault => Rank > 0 ? Rank : Math.Max(1, Width / 4);

    private int BlocksOrDefault => Blocks > 0 ? Blocks : 4;

    private long WarmupOrDefault => Warmup ?? Math.Max(1, Steps / 10);
}

using System.CommandLine;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Cli.CommandLine;

/// <summary>The options that describe a model. Each one changes what the preset or the configuration file says; what is not given stays.</summary>
internal sealed class ModelSettings
{
    private const string Model = "Model", Feedforward = "Feedforward", Variants = "Variants";

    // Far above any model, and low enough that no product of sizes overflows.
    private const long MostLayers = 10_000, MostWidth = 1_000_000;

    private static readonly string[] s_structures = ["dense", "lowrank", "blockdense", "blockshuffle"];

    private readonly Setting<long?> _layers = Setting.Whole("--layers", Model, "Blocks of attention and feedforward.", most: MostLayers, preset: c => c.Layers);
    private readonly Setting<long?> _heads = Setting.Whole("--heads", Model, "Query heads.", most: MostWidth, preset: c => c.Heads);

    private readonly Setting<long?> _kvHeads = Setting.Whole("--kv-heads", Model, "Key and value heads; fewer than --heads is grouped-query attention.",
        most: MostWidth, standard: "as --heads");

    private readonly Setting<long?> _width = Setting.Whole("--width", Model, "Width of the residual stream.", most: MostWidth, preset: c => c.Width);

    private readonly Setting<long?> _attentionWidth = Setting.Whole("--attention-width", Model, "Width of all query heads together.", most: MostWidth,
        standard: "as --width");

    private readonly Setting<long?> _context = Setting.Whole("--context", Model, "Tokens the model sees at once.", most: MostWidth, preset: c => c.Context);

    private readonly Setting<string?> _ffn = Setting.Choice("--ffn", Feedforward, "Structure of the feedforward matrices.", s_structures,
        preset: c => Name(c.Ffn));

    private readonly Setting<long?> _ffnWidth = Setting.Whole("--ffn-width", Feedforward, "Width of the feedforward's hidden layer.", most: MostWidth,
        standard: "4 times --width");

    private readonly Setting<long?> _rank = Setting.Whole("--rank", Feedforward, "Rank of lowrank and blockdense.", most: MostWidth,
        standard: "a quarter of --width");
    private readonly Setting<long?> _blocks = Setting.Whole("--blocks", Feedforward, "Blocks of blockdense and blockshuffle.", most: MostWidth, standard: "4");

    private readonly Setting<string?> _denseFirstLayer = Setting.Flag("--dense-first-layer", Feedforward,
        "Whether the first layer keeps dense feedforward matrices.",
        preset: c => c.DenseFirstLayer);

    private readonly Setting<string?> _norm = Setting.Choice("--norm", Variants, "Normalization.", ["layernorm", "rmsnorm"],
        preset: c => c.Norm == NormKind.LayerNorm ? "layernorm" : "rmsnorm");

    private readonly Setting<string?> _activation = Setting.Choice("--activation", Variants, "Nonlinearity of the feedforward.", ["gelu", "swiglu"],
        preset: c => c.Activation == ActivationKind.Gelu ? "gelu" : "swiglu");

    private readonly Setting<string?> _positions = Setting.Choice("--positions", Variants, "How positions enter the model.", ["rope", "learned"],
        preset: c => c.Positions == PositionKind.Rope ? "rope" : "learned");

    private readonly Setting<string?> _bias = Setting.Flag("--bias", Variants, "Whether linear layers and norms have biases.", preset: c => c.Bias);
    private readonly Setting<string?> _tied = Setting.Flag("--tied", Variants, "Whether the output head shares the embedding's matrix.", preset: c => c.Tied);

    private readonly Setting<double?> _dropout = Setting.Real("--dropout", Variants, "Share of activations dropped in training.", x => x is >= 0 and < 1,
        "of at least 0 and below 1", preset: c => c.Dropout);

    /// <summary>The preset everything starts from.</summary>
    public Setting<string?> Preset { get; } = Setting.Choice("--preset", Model, "Sizes to start from; every other option changes them.",
        [.. TransformerConfig.PresetNames], standard: RunDefaults.Preset);

    /// <summary>All options in the order of the help page.</summary>
    public IEnumerable<Option> All =>
    [
        Preset, _layers, _heads, _kvHeads, _width, _attentionWidth, _context,
        _ffn, _ffnWidth, _rank, _blocks, _denseFirstLayer,
        _norm, _activation, _positions, _bias, _tied, _dropout,
    ];

    /// <summary>The configuration with the given options in place of its own values.</summary>
    /// <exception cref="InputError">An option that has no meaning for the model; sizes are checked later, when all are known.</exception>
    public TrainConfig Apply(ParseResult parse, TrainConfig config)
    {
        config = config with
        {
            Layers = (int)(parse.GetValue(_layers) ?? config.Layers),
            Heads = (int)(parse.GetValue(_heads) ?? config.Heads),
            KvHeads = (int)(parse.GetValue(_kvHeads) ?? config.KvHeads),
            Width = (int)(parse.GetValue(_width) ?? config.Width),
            AttentionWidth = (int)(parse.GetValue(_attentionWidth) ?? config.AttentionWidth),
            FfnWidth = (int)(parse.GetValue(_ffnWidth) ?? config.FfnWidth),
            Context = (int)(parse.GetValue(_context) ?? config.Context),
            Ffn = parse.GetValue(_ffn) is { } name ? (FfnKind)Array.IndexOf(s_structures, name) : config.Ffn,
            Rank = (int)(parse.GetValue(_rank) ?? config.Rank),
            Blocks = (int)(parse.GetValue(_blocks) ?? config.Blocks),
            DenseFirstLayer = parse.IsTrue(_denseFirstLayer, config.DenseFirstLayer),
            Norm = parse.GetValue(_norm) switch { null => config.Norm, "layernorm" => NormKind.LayerNorm, _ => NormKind.RmsNorm },
            Activation = parse.GetValue(_activation) switch { null => config.Activation, "gelu" => ActivationKind.Gelu, _ => ActivationKind.SwiGlu },
            Positions = parse.GetValue(_positions) switch { null => config.Positions, "rope" => PositionKind.Rope, _ => PositionKind.Learned },
            Bias = parse.IsTrue(_bias, config.Bias),
            Tied = parse.IsTrue(_tied, config.Tied),
            Dropout = (float)(parse.GetValue(_dropout) ?? config.Dropout),
        };
        if (parse.GetValue(_rank) is not null && config.Ffn is (FfnKind.Dense or FfnKind.BlockShuffle))
            throw new InputError($"--rank has no meaning for {Name(config.Ffn)} feedforward matrices; leave it out, or choose --ffn lowrank or blockdense");
        if (parse.GetValue(_blocks) is not null && config.Ffn is (FfnKind.Dense or FfnKind.LowRank))
            throw new InputError(
                $"--blocks has no meaning for {Name(config.Ffn)} feedforward matrices; leave it out, or choose --ffn blockdense or blockshuffle");
        return config;
    }

    private static string Name(FfnKind kind) => s_structures[(int)kind];
}

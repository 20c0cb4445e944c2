using System.CommandLine;
using Sfn.Nn;

namespace Sfn.Cli.CommandLine;

/// <summary>The options that describe a model. Each one changes what the preset or the configuration file says; what is not given stays.</summary>
internal sealed class ModelSettings
{
    private const string Model = "Model", Feedforward = "Feedforward", Variants = "Variants";

    private static readonly string[] s_structures = ["dense", "lowrank", "blockdense", "blockshuffle"];

    private readonly Setting<long?> _layers = Setting.Whole("--layers", Model, "Blocks of attention and feedforward.", preset: p => p.Model.Layers);
    private readonly Setting<long?> _heads = Setting.Whole("--heads", Model, "Query heads.", preset: p => p.Model.Heads);

    private readonly Setting<long?> _kvHeads = Setting.Whole("--kv-heads", Model, "Key and value heads; fewer than --heads is grouped-query attention.",
        standard: "as --heads");

    private readonly Setting<long?> _width = Setting.Whole("--width", Model, "Width of the residual stream.", preset: p => p.Model.Width);
    private readonly Setting<long?> _attentionWidth = Setting.Whole("--attention-width", Model, "Width of all query heads together.", standard: "as --width");
    private readonly Setting<long?> _context = Setting.Whole("--context", Model, "Tokens the model sees at once.", preset: p => p.Model.Context);

    private readonly Setting<string?> _ffn = Setting.Choice("--ffn", Feedforward, "Structure of the feedforward matrices.", s_structures,
        preset: p => Name(p.Model.FeedForward.Kind));

    private readonly Setting<long?> _ffnWidth = Setting.Whole("--ffn-width", Feedforward, "Width of the feedforward's hidden layer.", standard: "4 times --width");

    private readonly Setting<long?> _rank = Setting.Whole("--rank", Feedforward, "Rank of lowrank and blockdense.",
        standard: "a quarter of --width for lowrank, a third for blockdense");

    private readonly Setting<long?> _blocks = Setting.Whole("--blocks", Feedforward, "Blocks of blockdense and blockshuffle.", standard: "2 for blockdense, 4 for blockshuffle");

    private readonly Setting<bool?> _denseFirstLayer = Setting.Flag("--dense-first-layer", Feedforward, "Whether the first layer keeps dense feedforward matrices.",
        preset: p => p.Model.DenseFirstLayer);

    private readonly Setting<string?> _norm = Setting.Choice("--norm", Variants, "Normalization.", ["layernorm", "rmsnorm"],
        preset: p => p.Model.Norm == NormKind.LayerNorm ? "layernorm" : "rmsnorm");

    private readonly Setting<string?> _activation = Setting.Choice("--activation", Variants, "Nonlinearity of the feedforward.", ["gelu", "swiglu"],
        preset: p => p.Model.Activation == ActivationKind.Gelu ? "gelu" : "swiglu");

    private readonly Setting<string?> _positions = Setting.Choice("--positions", Variants, "How positions enter the model.", ["rope", "learned"],
        preset: p => p.Model.Positions == PositionKind.Rope ? "rope" : "learned");

    private readonly Setting<bool?> _bias = Setting.Flag("--bias", Variants, "Whether linear layers and norms have biases.", preset: p => p.Model.Bias);
    private readonly Setting<bool?> _tied = Setting.Flag("--tied", Variants, "Whether the output head shares the embedding's matrix.", preset: p => p.Model.Tied);

    private readonly Setting<double?> _dropout = Setting.Real("--dropout", Variants, "Share of activations dropped in training.", x => x is >= 0 and < 1,
        "of at least 0 and below 1", preset: p => p.Model.Dropout);

    /// <summary>The preset everything starts from.</summary>
    public Setting<string?> Preset { get; } = Setting.Choice("--preset", Model, "Sizes to start from; every other option changes them.",
        [.. TransformerConfig.PresetNames], standard: "tiny");

    /// <summary>All options in the order of the help page.</summary>
    public IEnumerable<Option> All =>
    [
        Preset, _layers, _heads, _kvHeads, _width, _attentionWidth, _context,
        _ffn, _ffnWidth, _rank, _blocks, _denseFirstLayer,
        _norm, _activation, _positions, _bias, _tied, _dropout,
    ];

    /// <summary>The model of the preset or file with the given options on top.</summary>
    /// <exception cref="ConfigError">The sizes do not fit.</exception>
    public TransformerConfig Apply(ParseResult parse, TransformerConfig model)
    {
        bool widthChanged = parse.GetValue(_width) is not null || parse.GetValue(_ffnWidth) is not null || parse.GetValue(_ffn) is not null;
        model = model with
        {
            Layers = (int)(parse.GetValue(_layers) ?? model.Layers),
            Heads = (int)(parse.GetValue(_heads) ?? model.Heads),
            KvHeads = (int)(parse.GetValue(_kvHeads) ?? model.KvHeads),
            Width = (int)(parse.GetValue(_width) ?? model.Width),
            AttentionWidth = (int)(parse.GetValue(_attentionWidth) ?? model.AttentionWidth),
            FfnWidth = (int)(parse.GetValue(_ffnWidth) ?? model.FfnWidth),
            Context = (int)(parse.GetValue(_context) ?? model.Context),
            DenseFirstLayer = parse.GetValue(_denseFirstLayer) ?? model.DenseFirstLayer,
            Norm = parse.GetValue(_norm) switch { null => model.Norm, "layernorm" => NormKind.LayerNorm, _ => NormKind.RmsNorm },
            Activation = parse.GetValue(_activation) switch { null => model.Activation, "gelu" => ActivationKind.Gelu, _ => ActivationKind.SwiGlu },
            Positions = parse.GetValue(_positions) switch { null => model.Positions, "rope" => PositionKind.Rope, _ => PositionKind.Learned },
            Bias = parse.GetValue(_bias) ?? model.Bias,
            Tied = parse.GetValue(_tied) ?? model.Tied,
            Dropout = (float)(parse.GetValue(_dropout) ?? model.Dropout),
        };
        return (model with { FeedForward = Structure(parse, model, widthChanged) }).Validate();
    }

    // Rank and blocks follow the sizes unless they are given: a preset of another width stays usable without doing sums by hand.
    private FfnConfig Structure(ParseResult parse, TransformerConfig model, bool sizesChanged)
    {
        var kind = parse.GetValue(_ffn) is { } name ? (FfnKind)Array.IndexOf(s_structures, name) : model.FeedForward.Kind;
        int? rank = (int?)parse.GetValue(_rank), blocks = (int?)parse.GetValue(_blocks);
        if (rank is not null && kind is FfnKind.Dense or FfnKind.BlockShuffle && rank is not null)
            throw new ConfigError($"--rank has no meaning for {Name(kind)} feedforward matrices; leave it out or choose --ffn lowrank or blockdense");
        if (blocks is not null && kind is FfnKind.Dense or FfnKind.LowRank && blocks is not null)
            throw new ConfigError($"--blocks has no meaning for {Name(kind)} feedforward matrices; leave it out or choose --ffn blockdense or blockshuffle");
        if (!sizesChanged)
        {
            if (model.FeedForward.Rank > 0) rank ??= model.FeedForward.Rank;
            if (model.FeedForward.Blocks > 0) blocks ??= model.FeedForward.Blocks;
        }
        int smaller = Math.Min(model.Width, model.HiddenWidth);
        blocks ??= kind == FfnKind.BlockDense ? 2 : 4;
        return kind switch
        {
            FfnKind.Dense => Ffn.Dense(),
            FfnKind.LowRank => Ffn.LowRank(rank ?? Math.Max(1, smaller / 4)),
            FfnKind.BlockDense => Ffn.BlockDense(blocks.Value, rank ?? Math.Max(1, smaller / 3 / blocks.Value) * blocks.Value),
            _ => Ffn.BlockShuffle(blocks.Value),
        };
    }

    private static string Name(FfnKind kind) => s_structures[(int)kind];
}

namespace Sfn.Nn;

/// <summary>The normalization before each block.</summary>
public enum NormKind
{
    /// <summary>Mean and variance, weight (and bias).</summary>
    LayerNorm,

    /// <summary>Root mean square, weight only.</summary>
    RmsNorm,
}

/// <summary>The feedforward's nonlinearity.</summary>
public enum ActivationKind
{
    /// <summary>GELU in its tanh form.</summary>
    Gelu,

    /// <summary>SwiGLU: the up projection has 2·FfnWidth outputs, gate and value; silu(gate)·value goes on.</summary>
    SwiGlu,
}

/// <summary>How positions enter the model.</summary>
public enum PositionKind
{
    /// <summary>Rotary embedding of queries and keys, base 10,000, non-interleaved, over the full head width.</summary>
    Rope,

    /// <summary>A learned vector per position, added to the embedding.</summary>
    Learned,
}

/// <summary>
/// The sizes and options of a decoder-only transformer (arXiv 2406.16450, section 4.1). Change a preset with <c>with</c>, then <see cref="Validate"/>:
/// <c>TransformerConfig.PaperS with { FeedForward = Ffn.LowRank(rank: 192) }</c>.
/// </summary>
public sealed record TransformerConfig
{
    /// <summary>Number of tokens, V.</summary>
    public int VocabularySize { get; init; } = 256;

    /// <summary>Positions the model sees at once, n.</summary>
    public int Context { get; init; } = 256;

    /// <summary>Number of blocks (attention and feedforward), L.</summary>
    public int Layers { get; init; } = 4;

    /// <summary>Width of the residual stream, H.</summary>
    public int Width { get; init; } = 192;

    /// <summary>Width of all query heads together, A; 0 means the same as <see cref="Width"/>.</summary>
    public int AttentionWidth { get; init; }

    /// <summary>Number of query heads.</summary>
    public int Heads { get; init; } = 6;

    /// <summary>Number of key and value heads (grouped-query attention); 0 means the same as <see cref="Heads"/>.</summary>
    public int KvHeads { get; init; }

    /// <summary>Width of the feedforward's hidden layer; 0 means 4·<see cref="Width"/>.</summary>
    public int FfnWidth { get; init; }

    /// <summary>The structure of the feedforward matrices.</summary>
    public FfnConfig FeedForward { get; init; } = Ffn.Dense();

    /// <summary>Whether layer 0 keeps dense feedforward matrices, as in the paper.</summary>
    public bool DenseFirstLayer { get; init; } = true;

    /// <summary>The normalization before each block and before the head.</summary>
    public NormKind Norm { get; init; } = NormKind.LayerNorm;

    /// <summary>The feedforward's nonlinearity.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Gelu;

    /// <summary>How positions enter the model.</summary>
    public PositionKind Positions { get; init; } = PositionKind.Rope;

    /// <summary>Whether linear layers and LayerNorm have biases (the head never has).</summary>
    public bool Bias { get; init; } = true;

    /// <summary>Whether the output head shares the embedding's matrix.</summary>
    public bool Tied { get; init; } = true;

    /// <summary>Probability of dropping an activation in training, 0 to below 1.</summary>
    public float Dropout { get; init; }

    /// <summary>The precision the model computes in; float32 by default.</summary>
    public Numerics Numerics { get; init; }

    /// <summary><see cref="AttentionWidth"/> with its default filled in.</summary>
    public int QueryWidth => AttentionWidth == 0 ? Width : AttentionWidth;

    /// <summary><see cref="KvHeads"/> with its default filled in.</summary>
    public int KeyValueHeads => KvHeads == 0 ? Heads : KvHeads;

    /// <summary><see cref="FfnWidth"/> with its default filled in.</summary>
    public int HiddenWidth => FfnWidth == 0 ? 4 * Width : FfnWidth;

    /// <summary>Features per head.</summary>
    public int HeadWidth => QueryWidth / Heads;

    /// <summary>Width of all key heads together (the values have the same).</summary>
    public int KeyValueWidth => HeadWidth * KeyValueHeads;

    /// <summary>Outputs of the up projection: 2·FfnWidth with SwiGLU, else FfnWidth.</summary>
    public int UpWidth => Activation == ActivationKind.SwiGlu ? 2 * HiddenWidth : HiddenWidth;

    /// <summary>The feedforward structure of one layer: dense for layer 0 if <see cref="DenseFirstLayer"/>.</summary>
    public FfnConfig FeedForwardOf(int layer) => layer == 0 && DenseFirstLayer ? Ffn.Dense() : FeedForward;

    /// <summary>The default run: byte level, low-rank feedforward, about three minutes on two cores.</summary>
    public static TransformerConfig Tiny => new() { FeedForward = Ffn.LowRank(48) };

    /// <summary>Byte level, low-rank feedforward, about an hour on a desktop.</summary>
    public static TransformerConfig Small => new() { Context = 512, Layers = 8, Width = 384, Heads = 6, FeedForward = Ffn.LowRank(96) };

    /// <summary>The paper's s: 12 layers of width 768, 110 million parameters when dense.</summary>
    public static TransformerConfig PaperS => Paper(layers: 12, width: 768, heads: 12);

    /// <summary>The paper's m: 24 layers of width 1024, 335 million parameters when dense.</summary>
    public static TransformerConfig PaperM => Paper(layers: 24, width: 1024, heads: 16);

    /// <summary>The paper's l: 24 layers of width 1536, 729 million parameters when dense.</summary>
    public static TransformerConfig PaperL => Paper(layers: 24, width: 1536, heads: 12);

    /// <summary>The paper's xl: 24 layers of width 2048, 1274 million parameters when dense.</summary>
    public static TransformerConfig PaperXl => Paper(layers: 24, width: 2048, heads: 16);

    /// <summary>The names <see cref="Preset"/> knows.</summary>
    public static IReadOnlyList<string> PresetNames { get; } = ["tiny", "small", "s", "m", "l", "xl"];

    /// <summary>A preset by its name: tiny, small, s, m, l or xl.</summary>
    /// <exception cref="ConfigError">There is no such preset.</exception>
    public static TransformerConfig Preset(string name) => name switch
    {
        "tiny" => Tiny,
        "small" => Small,
        "s" => PaperS,
        "m" => PaperM,
        "l" => PaperL,
        "xl" => PaperXl,
        _ => throw new ConfigError($"there is no preset '{name}'; known are {string.Join(", ", PresetNames)}"),
    };

    /// <summary>Checks all sizes and returns the same configuration.</summary>
    /// <exception cref="ConfigError">A size is out of range or does not divide; the message names the nearest that do.</exception>
    public TransformerConfig Validate()
    {
        Positive(VocabularySize, "vocabulary");
        Positive(Context, "context", "--context");
        Positive(Layers, "number of layers", "--layers");
        Positive(Width, "width", "--width");
        Positive(Heads, "number of heads", "--heads");
        Positive(QueryWidth, "attention width", "--attention-width");
        Positive(KeyValueHeads, "number of key/value heads", "--kv-heads");
        Positive(HiddenWidth, "feedforward width", "--ffn-width");
        string widthOption = AttentionWidth == 0 ? "--width" : "--attention-width";
        Divide.Check("attention", "attention width", QueryWidth, "the number of heads", Heads, "--heads", widthOption);
        Divide.Check("attention", "number of heads", Heads, "the number of key/value heads", KeyValueHeads, "--kv-heads", "--heads");
        if (Positions == PositionKind.Rope && HeadWidth % 2 != 0)
        {
            string below = HeadWidth > 1 ? $"{(HeadWidth - 1) * Heads} and " : "";
            throw new ConfigError($"attention: rotary positions need an even head width, but {QueryWidth} / {Heads} heads is {HeadWidth}; " +
                $"nearest attention widths: {below}{(HeadWidth + 1) * Heads} ({widthOption}), or use learned positions (--positions)");
        }
        FeedForward.Validate("feedforward up", Width, UpWidth);
        FeedForward.Validate("feedforward down", HiddenWidth, Width);
        Numerics.Validate();
        if (!(Dropout >= 0 && Dropout < 1)) throw new ConfigError($"the dropout must be at least 0 and below 1, not {Dropout} (--dropout)");
        return this;
    }

    private static void Positive(int value, string name, string? option = null)
    {
        if (value < 1) throw new ConfigError($"the {name} must be at least 1, not {value}{(option is null ? "" : $" ({option})")}");
    }

    private static TransformerConfig Paper(int layers, int width, int heads) =>
        new() { VocabularySize = 32_000, Context = 1024, Layers = layers, Width = width, Heads = heads };
}

using Sfn.Autograd;

namespace Sfn.Nn;

/// <summary>
/// The decoder-only language model of arXiv 2406.16450: embedding, pre-norm blocks, final norm, head (tied to the embedding by default).
/// May be called from several threads at once.
/// </summary>
public sealed partial class Transformer : Module
{
    private readonly Parameter _embedding;
    private readonly Parameter? _positions, _head;
    private readonly Block[] _blocks;
    private readonly Norm _norm;
    private readonly (Tensor Cos, Tensor Sin)? _angles;

    /// <summary>A model with random weights, a pure function of configuration and seed.</summary>
    /// <exception cref="ConfigError">Sizes do not fit together.</exception>
    public Transformer(TransformerConfig config, Device? device = null, ulong seed = 0) : base(device, config.Numerics)
    {
        Config = config.Validate();
        using var pause = Ops.Op.Pause();
        var init = new Init(seed, Device);
        _embedding = Matrix("embedding.weight", init.Normal("embedding.weight", [config.VocabularySize, config.Width]));
        if (config.Positions == PositionKind.Learned) _positions = Matrix("positions.weight", init.Normal("positions.weight", [config.Context, config.Width]));
        else _angles = Kept(Tensor.RopeTables(config.Context, config.HeadWidth, device: Device));
        _blocks = [.. Enumerable.Range(0, config.Layers).Select(i => new Block(this, i, config, init))];
        _norm = new Norm(this, "norm", config.Norm, config.Width, config.Bias, init);
        if (!config.Tied) _head = Matrix("head.weight", init.Normal("head.weight", [config.VocabularySize, config.Width]));
    }

    /// <summary>Sizes and options.</summary>
    public TransformerConfig Config { get; }

    /// <summary>The layers.</summary>
    public IReadOnlyList<Block> Blocks => _blocks;

    /// <summary>Seed of dropout for the next training calls; null (the default) switches dropout off. Change it for every micro-batch.</summary>
    public DropoutSeed? DropoutSeed { get; set; }

    /// <summary>Whether training recomputes each block's activations in backward instead of keeping them: less memory, a third more work.</summary>
    public bool Recompute { get; set; }

    /// <summary>Mean cross-entropy in nats of the next tokens: tokens and targets [batch, tokens] of ids, target −100 does not count.</summary>
    /// <param name="tokens">Input ids.</param>
    /// <param name="targets">The id after each input.</param>
    /// <param name="mask">BOOL [batch, tokens], true where a token exists; all by default.</param>
    public Tensor Loss(Tensor tokens, Tensor targets, Tensor? mask = null)
    {
        using var call = Enter();
        return call.Return(Stream(tokens, mask, null).LinearCrossEntropy((_head ?? _embedding).Reading, targets, mode: Numerics.MatMul));
    }

    /// <summary>The logits of the next token after each token, float32: [batch, tokens] of ids → [batch, tokens, vocabulary].</summary>
    /// <param name="tokens">Input ids.</param>
    /// <param name="mask">BOOL [batch, tokens (with the cached ones)], true where a token exists.</param>
    /// <param name="cache">What earlier calls have seen; the tokens continue it.</param>
    public Tensor Logits(Tensor tokens, Tensor? mask = null, KvCache? cache = null)
    {
        using var call = Enter();
        return call.Return(Stream(tokens, mask, cache).Logits((_head ?? _embedding).Reading, Numerics.MatMul));
    }

    /// <summary>The logits after the last token only, float32: [batch, tokens] → [batch, vocabulary].</summary>
    public Tensor NextLogits(Tensor tokens, KvCache? cache = null)
    {
        using var call = Enter();
        var x = Stream(tokens, null, cache);
        return call.Return(x.Narrow(1, x.Shape[1] - 1, 1).Reshape(x.Shape[0], x.Shape[2]).Logits((_head ?? _embedding).Reading, Numerics.MatMul));
    }

    // Everything but the head: [batch, tokens] → [batch, tokens, width].
    private Tensor Stream(Tensor tokens, Tensor? mask, KvCache? cache)
    {
        if (tokens.Rank != 2) throw new ShapeMismatch($"A model reads tokens of shape [batch, tokens], not {tokens.Shape}.");
        int count = tokens.Shape[1], start = cache?.Length ?? 0;
        if (count == 0) throw new ShapeMismatch("A model needs at least one token.");
        if (start + count > Config.Context)
            throw new ShapeMismatch($"{start + count} tokens do not fit the model's context of {Config.Context}. Give it the last {Config.Context} only.");
        if (cache is not null && cache.Batch != tokens.Shape[0])
            throw new ShapeMismatch($"The cache is for {cache.Batch} sequences, the tokens are {tokens.Shape}. Make a KvCache of that batch.");
        DropoutSeed? seed = Ops.Op.Recorder is null ? null : DropoutSeed;
        var x = _embedding.Reading.Gather(tokens);
        if (_positions is not null) x += _positions.Reading.Narrow(0, start, count);
        if (seed is { } s && Config.Dropout > 0) x = x.Dropout(Config.Dropout, s.Stream("embedding"));
        for (int i = 0; i < _blocks.Length; i++)
        {
            var block = _blocks[i];
            var layer = cache?.Layers[i];
            DropoutSeed? own = seed?.Stream(block.Path);
            x = Recompute && cache is null && Ops.Op.Recorder is not null
                ? Autograd.Recompute.Run(h => block.Apply(h, _angles, mask, null, own), x)
                : block.Apply(x, _angles, mask, layer, own);
        }
        cache?.Advance(count);
        return _norm.Apply(x);
    }

    private static (Tensor, Tensor) Kept((Tensor Cos, Tensor Sin) tables) => (tables.Cos.Keep(), tables.Sin.Keep());
}

namespace Sfn.Nn;

/// <summary>One layer of the transformer: x + attention(norm(x)), then + feedforward(norm(x)).</summary>
public sealed class Block : Module
{
    private readonly TransformerConfig _config;
    private readonly Norm _norm1, _norm2;

    /// <summary>Layer number <paramref name="index"/> inside <paramref name="parent"/>.</summary>
    public Block(Module parent, int index, TransformerConfig config, Init init) : base(parent, $"blocks.{index}")
    {
        _config = config;
        _norm1 = new Norm(this, "norm1", config.Norm, config.Width, config.Bias, init);
        Attention = new Attention(this, "attention", config, init);
        _norm2 = new Norm(this, "norm2", config.Norm, config.Width, config.Bias, init);
        FeedForward = new FeedForward(this, "ffn", config, config.FeedForwardOf(index), init);
    }

    /// <summary>The attention.</summary>
    public Attention Attention { get; }

    /// <summary>The feedforward.</summary>
    public FeedForward FeedForward { get; }

    /// <summary>x [batch, tokens, width] → the same shape.</summary>
    /// <param name="x">The stream.</param>
    /// <param name="angles">Rotary tables, if used.</param>
    /// <param name="mask">BOOL [batch, keys].</param>
    /// <param name="cache">Keys and values of earlier tokens.</param>
    /// <param name="dropoutSeed">Seed of this layer's dropout in training; null switches it off.</param>
    public Tensor Apply(Tensor x, (Tensor Cos, Tensor Sin)? angles, Tensor? mask, LayerCache? cache, DropoutSeed? dropoutSeed)
    {
        using var call = Enter();
        if (dropoutSeed is not { } seed || _config.Dropout == 0)
        {
            x = Attention.Apply(_norm1.Apply(x), x, angles, mask, cache);
            return call.Return(FeedForward.Apply(_norm2.Apply(x), x));
        }
        x += Attention.Apply(_norm1.Apply(x), null, angles, mask, cache).Dropout(_config.Dropout, seed.Stream("attention"));
        return call.Return(x + FeedForward.Apply(_norm2.Apply(x)).Dropout(_config.Dropout, seed.Stream("ffn")));
    }
}

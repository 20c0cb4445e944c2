namespace Sfn.Nn;

/// <summary>
/// Causal multi-head attention with grouped queries: one matrix makes [Q | K | V], heads of Q share the K and V of their group, the result
/// goes through an output matrix. Its width may differ from the model's.
/// </summary>
public sealed class Attention : Module
{
    private readonly TransformerConfig _config;
    private readonly Biased _qkv, _out;

    /// <summary>The attention of one block inside <paramref name="parent"/>.</summary>
    public Attention(Module parent, string name, TransformerConfig config, Init init) : base(parent, name)
    {
        _config = config;
        _qkv = new Biased(this, "qkv", Ffn.Dense(), config.Width, config.QueryWidth + 2 * config.KeyValueWidth, config.Bias, init);
        _out = new Biased(this, "out", Ffn.Dense(), config.QueryWidth, config.Width, config.Bias, init);
    }

    /// <summary>x [batch, tokens, width] (normalized) → [batch, tokens, width] + residual.</summary>
    /// <param name="x">The normalized stream.</param>
    /// <param name="residual">Added to the result, if given.</param>
    /// <param name="angles">Cosines and sines of the rotary positions, if used.</param>
    /// <param name="mask">BOOL [batch, keys], true where a token exists.</param>
    /// <param name="cache">Keys and values of the tokens before; takes the new ones.</param>
    public Tensor Apply(Tensor x, Tensor? residual, (Tensor Cos, Tensor Sin)? angles, Tensor? mask, LayerCache? cache)
    {
        using var call = Enter();
        int batch = x.Shape[0], tokens = x.Shape[1], dim = _config.HeadWidth, heads = _config.Heads, kv = _config.KeyValueHeads;
        int a = _config.QueryWidth, k = _config.KeyValueWidth, start = cache?.Length ?? 0;
        var qkv = _qkv.Apply(x);
        var query = qkv.Narrow(2, 0, a).Reshape(batch, tokens, heads, dim);
        var key = qkv.Narrow(2, a, k).Reshape(batch, tokens, kv, dim);
        var value = qkv.Narrow(2, a + k, k).Reshape(batch, tokens, kv, dim);
        if (angles is { } tables)
        {
            query = query.Rope(tables.Cos, tables.Sin, start);
            key = key.Rope(tables.Cos, tables.Sin, start);
        }
        if (cache is not null) (key, value) = cache.Append(key, value);
        var y = Tensor.Attention(query, key, value, causal: true, mask, mode: Numerics.MatMul).Reshape(batch, tokens, a);
        return call.Return(_out.Apply(y, residual));
    }
}

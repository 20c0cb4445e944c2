namespace Sfn.Nn;

/// <summary>The rotated keys and the values that attention has seen, so that each further token costs one row of work. Mutable; one per sequence.</summary>
public sealed class KvCache
{
    /// <summary>An empty cache for <paramref name="batch"/> sequences of the model's context.</summary>
    public KvCache(Transformer model, int batch = 1)
    {
        var config = model.Config;
        Capacity = config.Context;
        Batch = batch;
        Layers = [.. Enumerable.Range(0, config.Layers).Select(_ => new LayerCache(Empty(), Empty()))];

        Tensor Empty() => Tensor.Empty([batch, Capacity, config.KeyValueHeads, config.HeadWidth], model.Numerics.Compute, model.Device).Keep();
    }

    /// <summary>Tokens in the cache.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens that fit.</summary>
    public int Capacity { get; }

    internal int Batch { get; }

    internal IReadOnlyList<LayerCache> Layers { get; }

    /// <summary>Forgets all tokens after the first <paramref name="length"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative or more than <see cref="Length"/>.</exception>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
        foreach (var layer in Layers) layer.Length = length;
    }

    internal void Advance(int tokens) => Length += tokens;
}

/// <summary>Keys and values of one layer, [batch, capacity, kvHeads, dim].</summary>
public sealed class LayerCache
{
    private readonly Tensor _keys, _values;

    internal LayerCache(Tensor keys, Tensor values) => (_keys, _values) = (keys, values);

    internal int Length { get; set; }

    /// <summary>Stores the keys and values of new tokens and gives those of all tokens so far.</summary>
    internal (Tensor Keys, Tensor Values) Append(Tensor keys, Tensor values)
    {
        int count = keys.Shape[1];
        keys.Backend.Copy(keys.View, _keys.View.Narrow(1, Length, count));
        values.Backend.Copy(values.View, _values.View.Narrow(1, Length, count));
        Length += count;
        return (_keys.Narrow(1, 0, Length), _values.Narrow(1, 0, Length));
    }
}

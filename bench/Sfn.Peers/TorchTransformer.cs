using Sfn.Nn;
using F = TorchSharp.torch.nn.functional;
using GELU = TorchSharp.Modules.GELU;
using Parameter = TorchSharp.Modules.Parameter;
using Torch = TorchSharp.torch;

namespace Sfn.Peers;

/// <summary>Our transformer in torch's ops: pre-norm blocks with biases, fused attention, GELU (tanh), a head tied to the embedding.</summary>
internal sealed class TorchTransformer
{
    private readonly TransformerConfig _config;
    private readonly Dictionary<string, Parameter> _parameters = [];
    private readonly TorchSharp.Modules.Embedding _embedding;
    private readonly Torch.Tensor? _cos, _sin;

    /// <summary>The model with random weights, under the same names as ours.</summary>
    public TorchTransformer(TransformerConfig config)
    {
        _config = config;
        int width = config.Width;
        _embedding = Torch.nn.Embedding(config.VocabularySize, width);
        _parameters["embedding.weight"] = _embedding.weight!;
        using (Torch.no_grad()) _embedding.weight!.mul_(Init.Std);
        if (config.Positions == PositionKind.Learned) Add("positions.weight", config.Context, width);
        else
        {
            // Half a head of angles, [1, tokens, 1, 1, dim/2]: the same for queries, keys and all heads.
            var angles = Torch.outer(Torch.arange(config.Context, dtype: Torch.float32),
                Torch.pow(10000f, Torch.arange(0, config.HeadWidth, 2, dtype: Torch.float32) / -config.HeadWidth)).view(1, config.Context, 1, 1, -1);
            (_cos, _sin) = (angles.cos(), angles.sin());
        }
        for (int i = 0; i < config.Layers; i++)
        {
            AddNorm($"blocks.{i}.norm1");
            AddLinear($"blocks.{i}.attention.qkv", width, 3 * width);
            AddLinear($"blocks.{i}.attention.out", width, width);
            AddNorm($"blocks.{i}.norm2");
            AddLinear($"blocks.{i}.ffn.up", width, 4 * width);
            AddLinear($"blocks.{i}.ffn.down", 4 * width, width);
        }
        AddNorm("norm");
    }

    public IEnumerable<Parameter> Parameters => _parameters.Values;

    /// <summary>Takes over the values of our model.</summary>
    public void Load(Transformer model)
    {
        using var none = Torch.no_grad();
        if (model.Parameters.Count != _parameters.Count)
            throw new InvalidOperationException($"Our model has {model.Parameters.Count} parameters, torch's {_parameters.Count}.");
        foreach (var p in model.Parameters)
        {
            using var value = p.Value.ToTorch();
            _parameters[p.Name].copy_(value);
        }
    }

    /// <summary>Mean cross-entropy of the targets: ids [batch, tokens].</summary>
    public Torch.Tensor Loss(Torch.Tensor tokens, Torch.Tensor targets)
    {
        var x = _embedding.call(tokens);
        if (_config.Positions == PositionKind.Learned) x = x + this["positions.weight"];
        for (int i = 0; i < _config.Layers; i++)
        {
            x = x + Linear(Attention(Linear(Norm(x, $"blocks.{i}.norm1"), $"blocks.{i}.attention.qkv")), $"blocks.{i}.attention.out");
            var h = F.gelu(Linear(Norm(x, $"blocks.{i}.norm2"), $"blocks.{i}.ffn.up"), GELU.Approximate.tanh);
            x = x + Linear(h, $"blocks.{i}.ffn.down");
        }
        var logits = F.linear(Norm(x, "norm"), this["embedding.weight"]);
        return F.cross_entropy(logits.view(-1, _config.VocabularySize), targets.view(-1));
    }

    private Torch.Tensor this[string name] => _parameters[name];

    // [batch, tokens, 3·width] → [batch, tokens, width].
    private Torch.Tensor Attention(Torch.Tensor qkv)
    {
        long batch = qkv.shape[0], tokens = qkv.shape[1];
        var split = qkv.view(batch, tokens, 3, _config.Heads, _config.HeadWidth);
        var rotated = split.narrow(2, 0, 2);
        if (_cos is not null)
        {
            var half = rotated.chunk(2, -1);
            rotated = Torch.cat([half[0] * _cos - half[1] * _sin!, half[1] * _cos + half[0] * _sin!], -1);
        }
        var q = rotated.select(2, 0).transpose(1, 2);
        var k = rotated.select(2, 1).transpose(1, 2);
        var v = split.select(2, 2).transpose(1, 2);
        return F.scaled_dot_product_attention(q, k, v, is_casual: true).transpose(1, 2).reshape(batch, tokens, _config.Width);
    }

    private Torch.Tensor Norm(Torch.Tensor x, string name) => F.layer_norm(x, [_config.Width], this[name + ".weight"], this[name + ".bias"], 1e-5);

    private Torch.Tensor Linear(Torch.Tensor x, string name) => F.linear(x, this[name + ".weight"], this[name + ".bias"]);

    private void AddLinear(string name, long @in, long @out)
    {
        Add(name + ".weight", @out, @in);
        _parameters[name + ".bias"] = new Parameter(Torch.zeros(@out));
    }

    private void AddNorm(string name)
    {
        _parameters[name + ".weight"] = new Parameter(Torch.ones(_config.Width));
        _parameters[name + ".bias"] = new Parameter(Torch.zeros(_config.Width));
    }

    private void Add(string name, params long[] shape) => _parameters[name] = new Parameter(Torch.randn(shape).mul_(Init.Std));
}

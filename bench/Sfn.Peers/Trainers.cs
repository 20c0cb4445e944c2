using Sfn.Autograd;
using Sfn.Nn;
using Sfn.Train;
using Torch = TorchSharp.torch;

namespace Sfn.Peers;

/// <summary>The models of the step benchmark and the ids they train on.</summary>
internal static class Work
{
    public const int Batch = 4;

    public static TransformerConfig A(Options options) => Model(options, 6, 384, 6, 4096);

    public static TransformerConfig B(Options options) => Model(options, 12, 768, 12, 50257);

    /// <summary>Random ids, and as targets the same shifted by one.</summary>
    public static (int[] Tokens, int[] Targets) Ids(TransformerConfig config)
    {
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, Batch * config.Context).Select(_ => random.Next(config.VocabularySize))];
        return (ids, [.. ids.Skip(1), 0]);
    }

    private static TransformerConfig Model(Options options, int layers, int width, int heads, int vocabulary) => new()
    {
        VocabularySize = vocabulary,
        Context = 256,
        Layers = layers,
        Width = width,
        Heads = heads,
        Positions = options.Learned ? PositionKind.Learned : PositionKind.Rope,
    };
}

/// <summary>A training step in Sfn: forward, backward, clip, AdamW.</summary>
internal sealed class SfnTrainer
{
    private readonly AdamW _optimizer;
    private readonly Tensor _tokens, _targets;

    public SfnTrainer(TransformerConfig config)
    {
        Model = new Transformer(config, seed: 1);
        _optimizer = new AdamW(Model.Parameters);
        var (tokens, targets) = Work.Ids(config);
        _tokens = Tensor.From(tokens, [Work.Batch, config.Context]);
        _targets = Tensor.From(targets, [Work.Batch, config.Context]);
    }

    public Transformer Model { get; }

    /// <summary>One step; returns the loss before it.</summary>
    public double Step()
    {
        using var tape = new Tape();
        var loss = Model.Loss(_tokens, _targets);
        tape.Backward(loss);
        _optimizer.ClipNorm(1);
        _optimizer.Step(1e-3f);
        return loss.Item();
    }
}

/// <summary>The same step in TorchSharp.</summary>
internal sealed class TorchTrainer
{
    private readonly TorchTransformer _model;
    private readonly TorchSharp.Modules.AdamW _optimizer;
    private readonly Torch.Tensor _tokens, _targets;

    /// <summary>A trainer with the weights of <paramref name="source"/>, or with random ones.</summary>
    public TorchTrainer(TransformerConfig config, Transformer? source = null)
    {
        _model = new TorchTransformer(config);
        if (source is not null) _model.Load(source);
        var options = new AdamWOptions();
        _optimizer = Torch.optim.AdamW(_model.Parameters, 1e-3, options.Beta1, options.Beta2, options.Epsilon, options.WeightDecay);
        var (tokens, targets) = Work.Ids(config);
        _tokens = Torch.tensor(tokens, [Work.Batch, config.Context], Torch.int64);
        _targets = Torch.tensor(targets, [Work.Batch, config.Context], Torch.int64);
    }

    /// <summary>One step; returns the loss before it.</summary>
    public double Step()
    {
        using var scope = Torch.NewDisposeScope();
        _optimizer.zero_grad();
        var loss = _model.Loss(_tokens, _targets);
        loss.backward();
        Torch.nn.utils.clip_grad_norm_(_model.Parameters, 1);
        _optimizer.step();
        return loss.item<float>();
    }
}

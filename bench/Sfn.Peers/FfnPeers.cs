using Sfn.Autograd;
using Sfn.Bench;
using Sfn.Nn;
using Torch = TorchSharp.torch;

namespace Sfn.Peers;

/// <summary>The feedforward 768 → 3072 → 768 at 1024 tokens in both engines: forward, and forward with the gradients of input, weights and biases.</summary>
internal static class FfnPeers
{
    private const int Tokens = 1024, Width = 768;

    private static readonly (string Name, FfnConfig Structure)[] s_works =
    [
        ("dense", Ffn.Dense()), ("LowRank r=192", Ffn.LowRank(192)), ("LowRank r=384", Ffn.LowRank(384)), ("BlockDense b=2 r=256", Ffn.BlockDense(2, 256)),
        ("BlockShuffle b=2", Ffn.BlockShuffle(2)), ("BlockShuffle b=4", Ffn.BlockShuffle(4)),
    ];

    public static void Run(Options options, Report report, Targets targets)
    {
        report.Heading($"feedforward {Width} -> {4 * Width} -> {Width}, {Tokens} tokens");
        foreach (var (name, structure) in s_works)
            if (options.Wants(name)) Measure(options, report, targets, name, structure);
    }

    private static void Measure(Options options, Report report, Targets targets, string name, FfnConfig structure)
    {
        var model = new Root(new TransformerConfig { Width = Width, Heads = 1, Layers = 1, FeedForward = structure, DenseFirstLayer = false }, structure);
        var peer = new TorchFfn(model.Ffn);
        Tensor x = Tensor.Randn([Tokens, Width], 3), dy = Tensor.Randn([Tokens, Width], 4);
        Torch.Tensor input = x.ToTorch(), watched = x.ToTorchParameter(), gradient = dy.ToTorch();
        double error = Verify(model, peer, x, dy, watched, gradient);
        if (!(error < 1e-4)) report.Wrong(name, $"the two engines differ by {error:E1} of the largest value");

        void TorchForward()
        {
            using var scope = Torch.NewDisposeScope();
            using var none = Torch.no_grad();
            peer.Apply(input);
        }

        void Forward()
        {
            using var scope = Scope.Open();
            model.Ffn.Apply(x);
        }

        void TorchBoth()
        {
            using var scope = Torch.NewDisposeScope();
            peer.Apply(watched).backward([gradient]);
            Clear(peer, watched);
        }

        void Both()
        {
            using var tape = new Tape();
            tape.Backward(model.Ffn.Apply(tape.Watch(x)), dy);
            foreach (var p in model.Parameters) p.ClearGradient();
        }

        double flops = 2.0 * Tokens * (model.Ffn.Up.Map.ParameterCount + model.Ffn.Down.Map.ParameterCount);
        foreach (var (what, torch, sfn, work) in new (string, Action, Action, double)[]
            { ("forward", TorchForward, Forward, flops), ("forward+backward", TorchBoth, Both, 3 * flops) })
        {
            Turns.WarmUp(5, torch, sfn);
            var (t, s, ratio, limit) = Turns.Measure(options.Seconds, 7, work, torch, sfn);
            report.Line("ffn", $"{name}, {what}", ("torch ms", t * 1e3, "F2"), ("sfn ms", s * 1e3, "F2"), ("x torch", ratio, "F2"), ("x at peak", limit, "F2"),
                ("torch GFLOP/s", work / t / 1e9, "F0"), ("sfn GFLOP/s", work / s / 1e9, "F0"), ("differ", error, "E0"));
            targets.Found($"{name}, {what}", ratio, limit);
        }
    }

    // Output and all gradients with the same weights.
    private static double Verify(Root model, TorchFfn peer, Tensor x, Tensor dy, Torch.Tensor watched, Torch.Tensor gradient)
    {
        using var scope = Torch.NewDisposeScope();
        using var tape = new Tape();
        var input = tape.Watch(x);
        var y = model.Ffn.Apply(input);
        var expected = peer.Apply(watched);
        double error = Bridge.Difference(expected, y);
        tape.Backward(y, dy);
        expected.backward([gradient]);
        error = Math.Max(error, Bridge.Difference(watched.grad!, tape.Gradient(input)!));
        IEnumerable<Parameter> own = [.. model.Ffn.Up.Map.Factors, model.Ffn.Up.Bias!, .. model.Ffn.Down.Map.Factors, model.Ffn.Down.Bias!];
        foreach (var (p, q) in own.Zip(peer.Parameters)) error = Math.Max(error, Bridge.Difference(q.grad!, p.Gradient!));
        foreach (var p in model.Parameters) p.ClearGradient();
        Clear(peer, watched);
        return error;
    }

    private static void Clear(TorchFfn peer, Torch.Tensor watched)
    {
        watched.grad = null;
        foreach (var p in peer.Parameters) p.grad = null;
    }

    private sealed class Root : Module
    {
        public Root(TransformerConfig config, FfnConfig structure) => Ffn = new FeedForward(this, "ffn", config, structure, new Init(1, Device));

        public FeedForward Ffn { get; }
    }
}

using Sfn.Autograd;
using Sfn.Nn;

namespace Sfn.Bench;

/// <summary>The feedforward width → 4·width → width at 1024 tokens, all structures at 63 % and 32 % of the dense parameters.</summary>
internal static class FfnBench
{
    private const int Tokens = 1024;

    public static void Run(Options options, Report report)
    {
        int[] widths = options.Width > 0 ? [options.Width] : [256, 512, 768, 1024, 2048];
        foreach (int width in widths)
        {
            report.Heading($"feedforward {width} -> {4 * width} -> {width}, {Tokens} tokens");
            double forward = 0, both = 0;
            foreach (var (name, ffn) in Structures(width))
            {
                if (!options.Wants(name) && name != "dense") continue;
                var (f, fb, share) = Measure(options, report, $"{width} {name}", width, ffn);
                if (name == "dense") (forward, both) = (f, fb);
                report.Line("ffn", $"{width} {name}", ("ms fwd", f * 1e3, "F2"), ("ms f+b", fb * 1e3, "F2"), ("x fwd", forward / f, "F2"),
                    ("x f+b", both / fb, "F2"), ("of peak", share, "P1"));
            }
        }
    }

    private static IEnumerable<(string, FfnConfig)> Structures(int w) =>
    [
        ("dense", Ffn.Dense()),
        ("lowrank 63 %", Ffn.LowRank(w / 2)), ("lowrank 32 %", Ffn.LowRank(w / 4)),
        ("blockdense 63 %", Ffn.BlockDense(2, 2 * w / 3 / 4 * 4)), ("blockdense 32 %", Ffn.BlockDense(2, w / 3 / 4 * 4)),
        ("blockshuffle 63 %", Ffn.BlockShuffle(2)), ("blockshuffle 32 %", Ffn.BlockShuffle(4)),
    ];

    private static (double Forward, double Both, double Share) Measure(Options options, Report report, string name, int width, FfnConfig structure)
    {
        using var pause = Ops.Op.Pause();
        var config = new TransformerConfig { Width = width, Heads = 1, Layers = 1, FeedForward = structure, DenseFirstLayer = false };
        var model = new Root(config, structure);
        var x = Tensor.Randn([Tokens, width], 3);
        Verify(report, name, model, x);
        double flops = 2.0 * Tokens * (model.Ffn.Up.Map.ParameterCount + model.Ffn.Down.Map.ParameterCount);
        double forward = Timing.Seconds(options.Seconds, () =>
        {
            using var scope = Scope.Open();
            model.Ffn.Apply(x);
        });
        var dy = Tensor.Randn([Tokens, width], 4);
        var (both, share) = Timing.AgainstPeak(3 * flops, options.Seconds, () =>
        {
            using var tape = new Tape();
            tape.Backward(model.Ffn.Apply(tape.Watch(x)), dy);
            foreach (var p in model.Parameters) p.ClearGradient();
        });
        return (forward, both, share);
    }

    // The structure's output against its own merged matrices.
    private static void Verify(Report report, string name, Root model, Tensor x)
    {
        using var scope = Scope.Open();
        var few = x.Narrow(0, 0, 8);
        var direct = model.Ffn.Apply(few);
        var merged = few.Linear(model.Ffn.Up.Map.Merge(), model.Ffn.Up.Bias!.Value).Gelu().Linear(model.Ffn.Down.Map.Merge(), model.Ffn.Down.Bias!.Value);
        double error = (direct - merged).Abs().Max().Item() / merged.Abs().Max().Item();
        if (!(error < 1e-4)) report.Wrong(name, $"differs from the merged matrices by {error:E1}");
    }

    private sealed class Root : Module
    {
        public Root(TransformerConfig config, FfnConfig structure) => Ffn = new FeedForward(this, "ffn", config, structure, new Init(1, Device));

        public FeedForward Ffn { get; }
    }
}

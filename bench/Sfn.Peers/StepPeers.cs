using Sfn.Bench;
using Sfn.Nn;

namespace Sfn.Peers;

/// <summary>A whole training step in both engines: forward, backward, clip, AdamW; float32, batch 4, context 256.</summary>
internal static class StepPeers
{
    private const string A = "(a) 6 x 384, vocabulary 4096", B = "(b) 12 x 768, vocabulary 50257";

    public static void Run(Options options, Report report, Targets targets)
    {
        report.Heading($"training step, batch {Work.Batch}, context 256, {(options.Learned ? "learned" : "rotary")} positions");
        if (options.Wants(A))
            Measure(report, targets, Targets.StepA, A, Work.A(options), steps: 5, seconds: 5 * options.Seconds, least: 5);
        if (!options.Wants(B)) return;
        // Each engine alone first: the peak of a process is the largest since its start.
        // The compiler's work is done on the small model, whose steps are short.
        if (!options.Wants(A)) WarmUp(Work.A(options));
        double torch = MemoryProbe.Measure(options, "torch"), sfn = MemoryProbe.Measure(options, "sfn");
        Measure(report, targets, Targets.StepB, B, Work.B(options), steps: 1, seconds: 15 * options.Seconds, least: 3);
        report.Line("memory", "(b), peak resident", ("torch MB", torch / 1e6, "F0"), ("sfn MB", sfn / 1e6, "F0"), ("x less", torch / sfn, "F2"));
        targets.FoundMemory(sfn);
    }

    private static void Measure(Report report, Targets targets, string target, string name, TransformerConfig config, int steps, double seconds, int least)
    {
        var sfn = new SfnTrainer(config);
        var torch = new TorchTrainer(config, sfn.Model);
        double difference = 0;
        for (int i = 0; i < steps; i++)
        {
            double expected = torch.Step(), actual = sfn.Step();
            // From the second step on AdamW has divided tiny gradients by their own size, which makes rounding visible.
            double tolerance = i == 0 ? 1e-5 : 1e-3, relative = Math.Abs(actual - expected) / expected;
            difference = Math.Max(difference, relative);
            if (!(relative <= tolerance))
                report.Wrong(name, $"the loss of step {i + 1} is {actual:F6}, torch's is {expected:F6}");
        }
        double tokens = Work.Batch * config.Context, flops = new ModelCounts(config).TrainingFlops(Work.Batch);
        var (t, s, ratio, limit) = Turns.Measure(seconds, least, flops, () => torch.Step(), () => sfn.Step());
        report.Line("step", name, ("torch ms", t * 1e3, "F0"), ("sfn ms", s * 1e3, "F0"), ("x torch", ratio, "F2"), ("x at peak", limit, "F2"),
            ("torch tokens/s", tokens / t, "F0"), ("sfn tokens/s", tokens / s, "F0"),
            ("torch GFLOP/s", flops / t / 1e9, "F0"), ("sfn GFLOP/s", flops / s / 1e9, "F0"),
            ("losses differ", difference, "E0"));
        targets.Found(target, ratio, limit);
    }

    private static void WarmUp(TransformerConfig config)
    {
        var sfn = new SfnTrainer(config);
        for (int i = 0; i < 8; i++) sfn.Step();
    }
}

using Sfn.Bench;
using Sfn.Nn;

namespace Sfn.Peers;

/// <summary>A whole training step in both engines: forward, backward, clip, AdamW; float32, batch 4, context 256.</summary>
internal static class StepPeers
{
    public static void Run(Options options, Report report, Targets targets)
    {
        report.Heading($"training step, batch {Work.Batch}, context 256, {(options.Learned ? "learned" : "rotary")} positions");
        if (options.Wants("(a) 6 x 384, vocabulary 4096"))
            Measure(report, targets, Targets.StepA, "(a) 6 x 384, vocabulary 4096", Work.A(options), verified: 3, seconds: 10 * options.Seconds, least: 5);
        if (!options.Wants("(b) 12 x 768, vocabulary 50257")) return;
        // Each engine alone first: the peak of a process is the largest since its start.
        double torch = MemoryProbe.Measure(options, "torch"), sfn = MemoryProbe.Measure(options, "sfn");
        Measure(report, targets, Targets.StepB, "(b) 12 x 768, vocabulary 50257", Work.B(options), verified: 1, seconds: 0, least: 3);
        report.Line("memory", "(b), peak resident", ("torch MB", torch / 1e6, "F0"), ("sfn MB", sfn / 1e6, "F0"), ("x less", torch / sfn, "F2"));
        targets.FoundMemory(sfn);
    }

    private static void Measure(Report report, Targets targets, string target, string name, TransformerConfig config, int verified, double seconds, int least)
    {
        var sfn = new SfnTrainer(config);
        var torch = new TorchTrainer(config, sfn.Model);
        for (int i = 0; i < verified; i++)
        {
            double expected = torch.Step(), actual = sfn.Step();
            // From the second step on AdamW has divided tiny gradients by their own size, which makes rounding visible.
            double tolerance = i == 0 ? 1e-5 : 1e-3;
            if (!(Math.Abs(actual - expected) <= tolerance * expected))
                report.Wrong(name, $"the loss of step {i + 1} is {actual:F6}, torch's is {expected:F6}");
        }
        var (t, s, ratio) = Turns.Measure(seconds, least, () => torch.Step(), () => sfn.Step());
        double tokens = Work.Batch * config.Context, flops = new ModelCounts(config).TrainingFlops(Work.Batch);
        report.Line("step", name, ("torch ms", t * 1e3, "F0"), ("sfn ms", s * 1e3, "F0"), ("x torch", ratio, "F2"),
            ("torch tokens/s", tokens / t, "F0"), ("sfn tokens/s", tokens / s, "F0"),
            ("torch GFLOP/s", flops / t / 1e9, "F0"), ("sfn GFLOP/s", flops / s / 1e9, "F0"));
        targets.Found(target, ratio);
    }
}

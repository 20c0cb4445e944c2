using Sfn.Nn;

namespace Sfn.Bench;

/// <summary>A quick look at what must not rot: allocations per step fail the command, timing is only printed.</summary>
internal static class Guard
{
    public static void Run(Options options, Report report)
    {
        var config = new TransformerConfig { VocabularySize = 512, Context = 128, Layers = 12, Width = 192, Heads = 6, FeedForward = Ffn.LowRank(48) };
        var (share, managed, blocks) = StepBench.Measure(report, "guard: 12 x 192, low-rank", config, 4, options.Seconds * 3);
        if (share < 0.25) Console.Error.WriteLine($"note: the step ran at {share:P0} of the FMA peak; expected at least 25 %, unless the machine is busy");
        if (managed > 200_000) report.Wrong("guard", $"{managed} bytes of managed memory per step, the limit is 200,000");
        if (blocks > 0) report.Wrong("guard", $"{blocks} tensor blocks were allocated after warm-up");
    }
}

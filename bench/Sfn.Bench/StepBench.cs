using System.Diagnostics;
using Sfn.Autograd;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Bench;

/// <summary>A whole training step: forward, backward, clip, AdamW; float32, batch 4, context 256.</summary>
internal static class StepBench
{
    public static void Run(Options options, Report report)
    {
        var a = new TransformerConfig { VocabularySize = 4096, Context = 256, Layers = 6, Width = 384, Heads = 6 };
        var b = new TransformerConfig { VocabularySize = 50257, Context = 256, Layers = 12, Width = 768, Heads = 12 };
        report.Heading("training step, batch 4, context 256");
        foreach (var (name, config, warmUp, seconds) in new[] { ("(a) 6 x 384, vocabulary 4096", a, 8, 10), ("(b) 12 x 768, vocabulary 50257", b, 4, 30) })
            if (options.Wants(name)) Measure(report, name, config, warmUp, options.Seconds * seconds);
    }

    /// <summary>Measures one model; returns the share of the peak and the managed bytes per step.</summary>
    public static (double Share, long Managed, long TensorAllocations) Measure(Report report, string name, TransformerConfig config, int warmUp, double seconds)
    {
        const int Batch = 4;
        int context = config.Context;
        var model = new Transformer(config, seed: 1);
        var optimizer = new AdamW(model.Parameters, new AdamWOptions());
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, Batch * context).Select(_ => random.Next(config.VocabularySize))];
        var tokens = Tensor.From(ids, [Batch, context]);
        var targets = Tensor.From([.. ids.Skip(1), 0], [Batch, context]);
        double first = 0, last = 0;

        void Step(bool read)
        {
            using var tape = new Tape();
            var loss = model.Loss(tokens, targets);
            tape.Backward(loss);
            if (read) last = loss.Item();
            optimizer.ClipNorm(1f);
            optimizer.Step(1e-3f);
        }

        Memory.ResetPeak();
        Step(true);
        first = last;
        for (int i = 1; i < warmUp; i++) Step(true);
        if (!(last < first)) report.Wrong(name, $"the loss did not fall: {first:F4} to {last:F4}");

        double flops = new ModelCounts(config).TrainingFlops(Batch, 1);
        long managed = GC.GetAllocatedBytesForCurrentThread(), blocks = Memory.Allocations();
        var steps = new BesidePeak<double>(seconds, 0.03);
        int count = 0;
        while (steps.More)
        {
            steps.Measure(() =>
            {
                long began = Stopwatch.GetTimestamp();
                Step(false);
                return Stopwatch.GetElapsedTime(began).TotalSeconds;
            });
            count++;
        }
        managed = (GC.GetAllocatedBytesForCurrentThread() - managed) / count;
        blocks = Memory.Allocations() - blocks;
        double median = Timing.Median([.. steps.Values.Select(s => s.Value)]), share = Timing.Median([.. steps.Values.Select(s => flops / s.Value / s.Peak)]);
        report.Line("step", name, ("tokens/s", Batch * context / median, "F0"), ("ms", median * 1e3, "F0"), ("GFLOP/s", flops / median / 1e9, "F0"),
            ("of peak", share, "P1"),
            ("MB tensors", Memory.PeakReserved() / 1e6, "F0"), ("MB resident", Process.GetCurrentProcess().PeakWorkingSet64 / 1e6, "F0"),
            ("kB managed/step", managed / 1e3, "F1"), ("tensor blocks", blocks, "F0"));
        return (share, managed, blocks);
    }
}

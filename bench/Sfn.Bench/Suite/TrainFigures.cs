using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Bench.Suite;

/// <summary>Whole training steps of 12 layers of width 768 at context 1024 in bfloat16, replayed where the device can: tokens/s against PyTorch's.</summary>
internal static class TrainFigures
{
    public static void Run(SuiteRun run)
    {
        run.Report.Heading("training step, bf16: forward, backward, clip, AdamW");
        double best = 0;
        var config = Models.Config(run, Precision.Bf16);
        int[] text = Models.Ids(config, config.Context + 1, 1);
        var expected = new Lazy<double>(() => Models.ExpectedLoss(run, config, text[..^1], text[1..]));
        foreach (int batch in run.Sizes([8, 16, 32, 64], 0.5))
            run.Try($"train batch {batch}", "tokens/s", () => best = Math.Max(best, Measure(run, config, batch, text, expected.Value)));
        if (best == 0) return;
        foreach (string peer in new[] { "train eager", "train compile" })
            if (run.Torch(peer) is { } rate) run.Report.Add(new Figure($"best batch beside torch {peer}", best, "tokens/s", rate, $"torch {peer}"));
    }

    private static double Measure(SuiteRun run, TransformerConfig config, int batch, int[] text, double expected)
    {
        string name = $"train batch {batch}";
        var model = new Transformer(config, run.Device, seed: 1);
        var optimizer = new AdamW(model.Parameters);
        using var step = new GraphedStep(model, optimizer, batch, config.Context, clip: 1);
        // All sequences of the batch are one, so that the first step's loss is that of one, which the host can compute.
        int[] tokens = Repeat(text[..^1], batch), targets = Repeat(text[1..], batch);
        void Step() => step.Run(tokens, targets, 1e-4f);
        Step();
        double first = step.Loss.Item();
        double error = run.Verify(name, Math.Abs(first - expected) / expected, 1e-2);
        for (int i = 0; i < 5; i++) Step();
        double last = step.Loss.Item();
        if (!(last < first)) run.Report.Wrong(name, $"the loss did not fall: {first:F4} to {last:F4}");
        double seconds = run.Median(Step), rate = batch * config.Context / seconds;
        string note = step.IsCaptured ? "replayed" : step.CaptureProblem is { } problem ? $"not replayed: {problem}" : "call by call";
        run.Report.Add(new Figure(name, rate, "tokens/s", run.Torch("train eager"), "torch train eager", error, $"{seconds * 1e3:F2} ms, {note}"));
        run.Report.Add(new Figure($"{name}, products", new ModelCounts(config).TrainingFlops(batch) / seconds / 1e12, "TFLOP/s", run.Torch("bf16"), "torch bf16"));
        return rate;
    }

    private static int[] Repeat(int[] text, int times) => [.. Enumerable.Repeat(text, times).SelectMany(t => t)];
}

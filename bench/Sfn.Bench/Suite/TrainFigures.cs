using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Bench.Suite;

/// <summary>Whole training steps of 12 layers of width 768 at context 1024 in bfloat16, replayed where the device can: tokens/s against PyTorch's.</summary>
internal static class TrainFigures
{
    private const int Verified = 6;
    private const float Rate = 3e-4f;

    public static void Run(SuiteRun run)
    {
        run.Report.Heading("training step, bf16: forward, backward, clip, AdamW");
        double best = 0;
        var config = Models.Config(run, Precision.Bf16);
        int[] text = Models.Ids(config, config.Context + 1, 1);
        var expected = new Lazy<(double, double)>(() => Models.ExpectedLosses(run, config, text, Verified, Rate));
        foreach (int batch in run.Sizes([8, 16, 32, 64], 0.5))
            run.Try($"train batch {batch}", "tokens/s", () => best = Math.Max(best, Measure(run, config, batch, text, expected.Value)));
        if (best == 0) return;
        foreach (string peer in new[] { "train eager", "train compile" })
            if (run.Torch(peer) is { } rate) run.Report.Add(new Figure($"best batch beside torch {peer}", best, "tokens/s", rate, $"torch {peer}"));
    }

    private static double Measure(SuiteRun run, TransformerConfig config, int batch, int[] text, (double First, double Last) expected)
    {
        string name = $"train batch {batch}";
        var model = new Transformer(config, run.Device, seed: 1);
        var optimizer = new AdamW(model.Parameters);
        using var step = new GraphedStep(model, optimizer, batch, config.Context, clip: 1);
        // All sequences of the batch are one, so that losses and gradients are those of one, with which the host can train. What the steps gain is compared:
        // the first loss alone says little of the model and nothing of the gradients.
        int[] tokens = Repeat(text[..^1], batch), targets = Repeat(text[1..], batch);
        void Step() => step.Run(tokens, targets, Rate);
        Step();
        double first = step.Loss.Item();
        for (int i = 1; i < Verified; i++) Step();
        double last = step.Loss.Item(), gained = expected.First - expected.Last;
        if (!(gained > 0)) run.Report.Wrong(name, $"the host's loss did not fall: {expected.First:F4} to {expected.Last:F4}");
        double error = run.Verify(name, Data.Larger(Math.Abs(first - expected.First), Math.Abs(last - expected.Last)) / gained, 5e-2);
        double seconds = run.Median(Step), rate = batch * config.Context / seconds;
        string note = step.IsCaptured ? "replayed" : step.CaptureProblem is { } problem ? $"not replayed: {problem}" : "call by call";
        run.Report.Add(new Figure(name, rate, "tokens/s", run.Torch("train eager"), "torch train eager", error, $"{seconds * 1e3:F2} ms, {note}"));
        double flops = new ModelCounts(config).TrainingFlops(batch);
        run.Report.Add(new Figure($"{name}, products", flops / seconds / 1e12, "TFLOP/s", run.Torch("bf16"), "torch bf16"));
        return rate;
    }

    private static int[] Repeat(int[] text, int times) => [.. Enumerable.Repeat(text, times).SelectMany(t => t)];
}

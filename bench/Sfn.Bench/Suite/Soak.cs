using System.Diagnostics;
using Sfn.Backends.Ilgpu;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Bench.Suite;

/// <summary>Many training steps, during which the device must not be asked for memory, nothing may pile up, and the loss must stay a number.</summary>
internal static class Soak
{
    private const int WarmUp = 10, Batch = 2, Texts = 16;

    public static void Run(SuiteRun run)
    {
        string name = $"soak of {run.Options.Soak} steps";
        run.Report.Heading(name);
        run.Try("soak", "steps/s", () => Measure(run, name));
    }

    private static void Measure(SuiteRun run, string name)
    {
        var config = Models.Config(run, Precision.Bf16) with { Layers = 4 };
        var model = new Transformer(config, run.Device, seed: 1);
        using var step = new GraphedStep(model, new AdamW(model.Parameters), Batch, config.Context, clip: 1);
        int count = Batch * config.Context;
        int[] ids = Models.Ids(config, Texts * count + 1, 1);
        (long Live, long Cached, long Allocations, long Slabs) Held()
            => (Memory.Live(run.Device), Memory.Cached(run.Device), Memory.Allocations(run.Device), (run.Backend as IlgpuBackend)?.SlabBytesReserved ?? 0);

        var before = Held();
        long began = 0;
        for (int i = 0; i < WarmUp + run.Options.Soak; i++)
        {
            if (i == WarmUp)
            {
                run.Backend.Synchronize();
                (before, began) = (Held(), Stopwatch.GetTimestamp());
            }
            int at = i % Texts * count;
            step.Run(ids.AsSpan(at, count), ids.AsSpan(at + 1, count), 3e-4f);
            if (i % 100 == 0 && !double.IsFinite(step.Loss.Item())) run.Report.Wrong(name, $"the loss of step {i} is {step.Loss.Item()}");
        }
        double loss = step.Loss.Item(), seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var after = Held();
        if (!double.IsFinite(loss)) run.Report.Wrong(name, $"the last loss is {loss}");
        if (after != before) run.Report.Wrong(name, $"memory is not flat: before {before}, after {after}");
        run.Report.Add(new Figure(name, run.Options.Soak / seconds, "steps/s",
            Note: $"{Memory.Format(after.Slabs)} of device memory, {after.Allocations - before.Allocations} new allocations, last loss {loss:F3}"));
    }
}

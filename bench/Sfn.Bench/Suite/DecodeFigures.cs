using System.Diagnostics;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Bench.Suite;

/// <summary>
/// Generation of the most likely token in bfloat16, with half of the context in the cache: tokens/s by the host's clock, since each token must reach the
/// host, against the time in which a copy would move the bytes of weights and cache.
/// </summary>
internal static class DecodeFigures
{
    public static void Run(SuiteRun run)
    {
        run.Report.Heading("decode, bf16");
        var config = Models.Config(run, Precision.Bf16);
        int[] text = Models.Ids(config, config.Context / 2 + 1, 1);
        var expected = new Lazy<double[]>(() => Models.ExpectedLogits(run, config, text));
        foreach (int batch in run.Sizes([1, 64], 0.5))
            run.Try($"decode batch {batch}", "tokens/s", () => Measure(run, config, batch, text, expected.Value));
    }

    private static void Measure(SuiteRun run, TransformerConfig config, int batch, int[] text, double[] expected)
    {
        string name = $"decode batch {batch}";
        var model = new Transformer(config, run.Device, seed: 1);
        var cache = new KvCache(model, batch);
        int prompt = text.Length - 1;
        int[] next = new int[batch];

        // The prompt, then its last token by the cache, as every further token will be.
        int[] all = [.. Enumerable.Repeat(text[..^1], batch).SelectMany(t => t)];
        double error;
        using (Scope.Open("prompt"))
        {
            model.NextLogits(Tensor.From(all, [batch, prompt], run.Device), cache);
            var logits = model.NextLogits(Tensor.From([.. Enumerable.Repeat(text[^1], batch)], [batch, 1], run.Device), cache);
            error = PassFigures.Deviation(Data.Row(logits[batch - 1]), expected);
        }
        run.Verify(name, error, 5e-2);

        void Step()
        {
            using var scope = Scope.Open("decode");
            var logits = model.NextLogits(Tensor.From(next, [batch, 1], run.Device), cache);
            var likely = Tensor.Empty([batch], DType.I32, run.Device);
            run.Backend.ArgMax(logits.View, likely.View);
            likely.CopyTo<int>(next);
        }

        for (int i = 0; i < 4; i++) Step();
        var times = new List<double>();
        var watch = Stopwatch.StartNew();
        while (times.Count < 5 || (watch.Elapsed.TotalSeconds < 2 * run.Options.Seconds && times.Count < 200))
        {
            if (cache.Length == config.Context) cache.Truncate(prompt);
            long began = Stopwatch.GetTimestamp();
            Step();
            times.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
        }
        double seconds = Timing.Median(times);
        double bytes = model.Parameters.Sum(p => (double)p.Reading.Bytes)
            + 2.0 * config.Layers * batch * prompt * config.KeyValueWidth * model.Numerics.Compute.Size();
        run.Report.Add(new Figure(name, batch / seconds, "tokens/s", batch * run.CopyRate / bytes, "bandwidth bound", error,
            $"{seconds * 1e3:F2} ms, {Memory.Format((long)bytes)} read"));
    }
}

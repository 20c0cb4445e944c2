using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Sfn.Autograd;
using Sfn.Backends.Cpu;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Bench;

/// <summary>
/// Tokens per second of whole training steps against threads, width, context and vocabulary, each point as a share of the FMA peak beside it;
/// and the tensor memory of attention against context, which must be linear.
/// </summary>
internal static class Scaling
{
    private const int Small = 256;   // width, context and vocabulary where they are not the subject

    private readonly record struct Point(double X, double TokensPerSecond, double Share, double Ideal);

    public static void Run(Options options, Report report)
    {
        if (options.Wants("threads"))
        {
            var config = new TransformerConfig { VocabularySize = 4096, Context = Small, Layers = 4, Width = Small, Heads = 4 };
            int all = Environment.ProcessorCount;
            int[] threads = [.. Enumerable.Range(0, 31).Select(i => 1 << i).Where(n => n < all), all];
            try
            {
                Sweep(options, report, "threads", "4 layers, width 256, vocabulary 4096, batch 4 × context 256", threads, config, (c, n) =>
                {
                    CpuPool.Threads = n;
                    return (c, 4);
                });
            }
            finally
            {
                CpuPool.Threads = options.Threads;
            }
        }
        var two = new TransformerConfig { VocabularySize = Small, Context = Small, Layers = 2, Width = Small, Heads = 4 };
        if (options.Wants("width"))
            Sweep(options, report, "width", "2 layers, heads of 64, vocabulary 256, batch 4 × context 256", [128, 256, 512, 1024, 2048], two,
                (c, n) => (c with { Width = n, Heads = n / 64 }, 4));
        if (options.Wants("context"))
        {
            Sweep(options, report, "context", "2 layers, width 256, vocabulary 256, 4096 tokens a step", [64, 128, 256, 512, 1024, 2048, 4096], two,
                (c, n) => (c with { Context = n }, 4096 / n));
            AttentionMemory(options, report);
        }
        if (options.Wants("vocabulary"))
            Sweep(options, report, "vocabulary", "2 layers, width 256, batch 4 × context 256", [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536], two,
                (c, n) => (c with { VocabularySize = n }, 4));
    }

    private static void Sweep(Options options, Report report, string axis, string model, int[] values, TransformerConfig config,
        Func<TransformerConfig, int, (TransformerConfig Config, int Batch)> with)
    {
        report.Heading($"training tokens/s against {axis}: {model}");
        var points = new List<Point>();
        foreach (int value in values)
        {
            var (changed, batch) = with(config, value);
            points.Add(Measure(options, report, axis, value, changed, batch));
            // The model is garbage now; its blocks go back before the next one asks for its own.
            Memory.CollectGarbage();
            Memory.Trim();
        }
        string unit = axis switch { "context" => "context (tokens)", "vocabulary" => "vocabulary (tokens)", "width" => "width (features)", _ => axis };
        var measured = points.Select(p => (p.X, p.TokensPerSecond, p.Share.ToString("P0", CultureInfo.InvariantCulture)));
        var chart = new Chart($"Training speed against {axis}", $"{model}; {options.Machine}", unit, "tokens per second",
        [
            new("training step, labelled with its share of the FMA peak", false, [.. measured]),
            new("the FMA peak itself", true, [.. points.Select(p => (p.X, p.Ideal, ""))]),
        ]);
        Write(options, $"scaling-{axis}.svg", chart with { LogY = axis != "threads" });
    }

    // Not inlined: no register or stack slot of the caller may keep the model alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Point Measure(Options options, Report report, string axis, int value, TransformerConfig config, int batch)
    {
        var model = new Transformer(config, seed: 1);
        var optimizer = new AdamW(model.Parameters);
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, batch * config.Context).Select(_ => random.Next(config.VocabularySize))];
        Tensor tokens = Tensor.From(ids, [batch, config.Context]), targets = Tensor.From([.. ids.Skip(1), 0], [batch, config.Context]);

        double Step(bool read)
        {
            using var tape = new Tape();
            var loss = model.Loss(tokens, targets);
            tape.Backward(loss);
            optimizer.ClipNorm(1f);
            optimizer.Step(1e-3f);
            return read ? loss.Item() : 0;
        }

        string name = $"{axis} {value}";
        Memory.ResetPeak();
        var warmUp = Stopwatch.StartNew();
        double first = Step(true), last = first;
        for (int i = 0; i < 2 || (warmUp.Elapsed.TotalSeconds < 0.7 && i < 50); i++) last = Step(true);
        if (!(last < first)) report.Wrong(name, $"the loss did not fall: {first:F4} to {last:F4}");

        double flops = Flops(config, batch);
        var steps = new BesidePeak<double>(2 * options.Seconds, 0.02, least: 3);
        while (steps.More) steps.Measure(() =>
        {
            long began = Stopwatch.GetTimestamp();
            Step(false);
            return Stopwatch.GetElapsedTime(began).TotalSeconds;
        });
        List<double> times = [.. steps.Values.Select(s => s.Value)], peaks = [.. steps.Values.Select(s => s.Peak)];
        double speed = batch * config.Context / Timing.Median(times), share = Timing.Median([.. steps.Values.Select(s => flops / s.Value / s.Peak)]);
        Timing.Plausible(report, name, share);
        report.Line("scaling", name, ("tokens/s", speed, "F0"), ("of peak", share, "P1"), ("ms", Timing.Median(times) * 1e3, "F1"),
            ("GFLOP/s peak", Timing.Median(peaks) / 1e9, "F0"), ("MB tensors", Memory.Peak() / 1e6, "F1"),
            ("parameters", new ModelCounts(config).Parameters, "F0"));
        return new(value, speed, share, speed / share);
    }

    // Elsewhere attention counts in full; here causal attention counts as the half that it needs, or long contexts would seem to exceed the peak.
    private static double Flops(TransformerConfig config, int batch)
    {
        double pairs = (double)batch * config.Context * (config.Context - 1) / 2;
        return new ModelCounts(config).TrainingFlops(batch) - 3 * 4.0 * config.Layers * config.QueryWidth * pairs;
    }

    private static void AttentionMemory(Options options, Report report)
    {
        const int Heads = 4, Dim = 64;
        report.Heading("peak tensor memory of attention, forward and backward, beside its inputs: batch 1, 4 heads of 64");
        var points = new List<(double Context, double Bytes)>();
        for (int context = 64; context <= 16384; context *= 2)
        {
            Memory.Trim();
            double bytes = Attend(context, Heads, Dim);
            report.Line("memory", $"context {context}", ("MB", bytes / 1e6, "F3"), ("bytes/token", bytes / context, "F0"),
                ("MB if scores were kept", Scores(context) / 1e6, "F3"));
            // Blocks are rounded up to 512 bytes; beyond that twice the context may take twice the memory and no more.
            if (points.Count > 0 && bytes > 2 * points[^1].Bytes + 16 * 512)
                report.Wrong("attention", $"context {context} takes {bytes:F0} bytes, half of it {points[^1].Bytes:F0}: not linear");
            points.Add((context, bytes));
        }

        static double Scores(double context) => 4.0 * Heads * context * context;

        Write(options, "scaling-memory.svg", new Chart("Attention's memory against context",
            "peak of tensor memory, forward and backward, without q, k, v; batch 1, 4 heads of 64, float32", "context (tokens)", "peak tensor memory (MB)",
        [
            new("measured", false, [.. points.Select(p => (p.Context, p.Bytes / 1e6, ""))]),
            new("context × context scores of all heads, if kept (computed)", true, [.. points.Select(p => (p.Context, Scores(p.Context) / 1e6, ""))]),
        ]));
    }

    private static double Attend(int context, int heads, int dim)
    {
        using var scope = Scope.Open();
        Shape shape = [1, context, heads, dim];
        Tensor q = Tensor.Randn(shape, 1), k = Tensor.Randn(shape, 2), v = Tensor.Randn(shape, 3);
        long live = Memory.Live();
        Memory.ResetPeak();
        using (var tape = new Tape())
        {
            var loss = Tensor.Attention(tape.Watch(q), tape.Watch(k), tape.Watch(v)).Sum();
            tape.Backward(loss);
        }
        return Memory.Peak() - live;
    }

    private static void Write(Options options, string file, Chart chart)
    {
        if (options.Charts.Length == 0) return;
        Directory.CreateDirectory(options.Charts);
        File.WriteAllText(Path.Combine(options.Charts, file), chart.Svg());
    }
}

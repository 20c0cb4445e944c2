using Sfn.Backends.Cpu;
using Sfn.Nn;

namespace Sfn.Bench;

/// <summary>
/// A quick look at what must not rot. Speeds are ratios to a limit measured in the same run, printed beside generous floors, and never fail the command;
/// wrong results and allocations do.
/// </summary>
internal static class Guard
{
    private const long ManagedPerStep = 200_000, ManagedPerToken = 100_000;

    public static void Run(Options options, Report report)
    {
        report.Heading($"regression guard, {CpuPool.Threads} threads: floors are generous and only noted, allocations and wrong results fail");
        Products(options, report);
        Pass(options, report);
        Step(options, report);
        Decode(options, report);
    }

    private static void Products(Options options, Report report)
    {
        foreach (var (name, m, n, k, floor) in new[]
        {
            ("forward 768->768", 512, 768, 768, 0.5), ("forward 768->192", 512, 192, 768, 0.5), ("forward 192->768", 512, 768, 192, 0.5),
            ("small 128->128", 128, 128, 128, 0.15),
        })
        {
            if (!options.Wants(name)) continue;
            using var scope = Scope.Open();
            Tensor x = Tensor.Randn([m, k], 1), w = Tensor.Randn([n, k], 2), y = Tensor.Zeros([m, n]);
            var backend = y.Backend;
            void Multiply() => backend.MatMul(x.View, w.View.Transpose(0, 1), y.View, default);
            Multiply();
            if (!Limits.Verified(x.View, w.View.Transpose(0, 1), y.View)) report.Wrong(name, "differs from the float64 product");
            var (_, share) = Timing.AgainstPeak(2.0 * m * n * k, options.Seconds, Multiply);
            Line(report, name, share, "of peak", floor);
            Timing.Plausible(report, name, share, fails: false);
        }
    }

    private static void Pass(Options options, Report report)
    {
        const string Name = "gelu, 64 MB";
        if (!options.Wants(Name)) return;
        using var scope = Scope.Open();
        var x = Tensor.Randn([4096, 4096], 1);
        var y = x.EmptyLike();
        var ratios = new List<double>();
        void Run() => x.Backend.Map(new Ops.Gelu(), x.View, y.View);
        Run();
        float[] some = y[0].ToArray(), from = x[0].ToArray();
        for (int i = 0; i < some.Length; i++)
        {
            double at = from[i], expected = at / (1 + Math.Exp(-1.5957691216057308 * (at + 0.044715 * at * at * at)));
            if (Math.Abs(some[i] - expected) > 1e-6 * (1 + Math.Abs(at))) report.Wrong(Name, $"gelu({at}) is {some[i]}, not {expected}");
        }
        for (int i = 0; i < 5; i++) ratios.Add(2 * x.Bytes / Timing.Seconds(0, Run) / Machine.CopyBandwidth());
        Line(report, Name, Timing.Median(ratios), "of copy", 0.3);
    }

    private static void Step(Options options, Report report)
    {
        const string Name = "step 12 x 192, low-rank";
        if (!options.Wants(Name)) return;
        var config = new TransformerConfig { VocabularySize = 512, Context = 128, Layers = 12, Width = 192, Heads = 6, FeedForward = Ffn.LowRank(48) };
        var (share, managed, blocks) = StepBench.Measure(report, Name, config, 4, options.Seconds * 3);
        Line(report, Name, share, "of peak", 0.25);
        if (managed > ManagedPerStep) report.Wrong(Name, $"{managed} bytes of managed memory per step, the limit is {ManagedPerStep}");
        if (blocks > 0) report.Wrong(Name, $"{blocks} tensor blocks were allocated after warm-up");
    }

    private static void Decode(Options options, Report report)
    {
        const string Name = "decode 4 x 1024, one token";
        if (!options.Wants(Name)) return;
        const int Tokens = 8;
        var model = new Transformer(new TransformerConfig { VocabularySize = 4096, Context = 128, Layers = 4, Width = 1024, Heads = 16 }, seed: 1);
        var cache = new KvCache(model);
        float[] One(int token)
        {
            using var scope = Scope.Open();
            return model.NextLogits(Tensor.From([token], [1, 1]), cache).ToArray();
        }

        // Generation with the cache must say what one pass over the whole text says.
        float[] last = [];
        for (int i = 0; i < Tokens; i++) last = One(i);
        using (Scope.Open())
        {
            float[] whole = model.NextLogits(Tensor.From([.. Enumerable.Range(0, Tokens)], [1, Tokens])).ToArray();
            double apart = last.Zip(whole, (a, b) => Math.Abs(a - b)).Max();
            if (!(apart < 1e-4)) report.Wrong(Name, $"logits with and without the cache differ by {apart:G3}");
        }
        Timing.Seconds(0.3, () =>
        {
            cache.Truncate(Tokens);
            One(1);
        });
        long managed = GC.GetAllocatedBytesForCurrentThread(), blocks = Memory.Allocations(), tokens = 0;
        var ratios = new List<double>();
        double bytes = 4.0 * model.Parameters.Sum(p => p.Count);
        for (int i = 0; i < 5; i++)
        {
            double read = Machine.ReadBandwidth(), seconds = Timing.Seconds(0, () =>
            {
                cache.Truncate(Tokens);
                One(1);
                tokens++;
            });
            ratios.Add(bytes / seconds / read);
        }
        managed = (GC.GetAllocatedBytesForCurrentThread() - managed) / tokens;
        blocks = Memory.Allocations() - blocks;
        Line(report, Name, Timing.Median(ratios), "of read", 0.3, ("kB managed", managed / 1e3, "F1"), ("tensor blocks", blocks, "F0"));
        if (managed > ManagedPerToken) report.Wrong(Name, $"{managed} bytes of managed memory per token, the limit is {ManagedPerToken}");
        if (blocks > 0) report.Wrong(Name, $"{blocks} tensor blocks were allocated after warm-up");
    }

    private static void Line(Report report, string name, double share, string unit, double floor, params ReadOnlySpan<(string, double, string)> more)
    {
        report.Line("guard", name, [(unit, share, "P0"), ("floor", floor, "P0"), .. more]);
        if (share < floor) Console.Error.WriteLine($"note: {name} ran at {share:P0} {unit}, below {floor:P0}. On an idle machine this is a regression.");
    }
}

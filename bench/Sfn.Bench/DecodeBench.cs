using System.Diagnostics;
using Sfn.Nn;

namespace Sfn.Bench;

/// <summary>
/// Generation with model (b), 12 layers of width 768 and a vocabulary of 50257, after a prompt of 32 tokens: tokens/s, and the share of
/// max(bytes of weights and cache read / read bandwidth, FLOPs / FMA peak), both measured beside every token.
/// </summary>
internal static class DecodeBench
{
    private const int Prompt = 32, WarmUp = 16, Tokens = 64;

    public static void Run(Options options, Report report)
    {
        report.Heading("generation, 12 x 768, vocabulary 50257, prompt of 32 tokens");
        foreach (var ffn in new[] { Ffn.Dense(), Ffn.LowRank(192), Ffn.BlockDense(2, 256), Ffn.BlockShuffle(4) })
        {
            if (options.Wants(ffn.ToString())) Measure(options, report, ffn);
        }
    }

    private static void Measure(Options options, Report report, FfnConfig ffn)
    {
        using var scope = Scope.Open();
        var model = new Transformer(new TransformerConfig
        {
            VocabularySize = 50257, Context = 256, Layers = 12, Width = 768, Heads = 12, FeedForward = ffn, DenseFirstLayer = false,
        }, seed: 1);
        var random = new Random(1);
        int[] prompt = [.. Enumerable.Range(0, Prompt).Select(_ => random.Next(model.Config.VocabularySize))];
        Verify(report, model, prompt);
        Stream(report, model, prompt, new Sampling { Temperature = 0 }, $"{ffn}, most likely token");
        Stream(report, model, prompt, new Sampling { Temperature = 0.8f, Seed = 1 }, $"{ffn}, drawn");
        foreach (int batch in new[] { 4, 16 }) Batch(report, model, prompt, batch, $"{ffn}, batch {batch}");
    }

    // The text as users get it.
    private static void Stream(Report report, Transformer model, int[] prompt, Sampling sampling, string name)
    {
        var samples = new Samples(model, 1);
        var stream = model.GenerateAsync(prompt, WarmUp + 2 * Tokens, sampling).GetAsyncEnumerator();
        int Next()
        {
            var step = stream.MoveNextAsync();
            bool more = step.IsCompletedSuccessfully ? step.Result : step.AsTask().GetAwaiter().GetResult();
            return more ? stream.Current : throw new InvalidOperationException("The text ended early.");
        }

        for (int i = 0; i < WarmUp; i++) Next();
        long managed = GC.GetTotalAllocatedBytes(precise: true), blocks = Memory.Allocations();
        for (int i = 0; i < Tokens; i++) Next();
        managed = (GC.GetTotalAllocatedBytes(precise: true) - managed) / Tokens;
        blocks = Memory.Allocations() - blocks;
        for (int i = 0; i < Tokens; i++) samples.Add(Prompt + WarmUp + Tokens + i, () => Next());
        stream.DisposeAsync().AsTask().GetAwaiter().GetResult();
        samples.Print(report, name, ("bytes managed", managed, "F0"), ("tensor blocks", blocks, "F0"));
        if (blocks > 0) report.Wrong(name, $"{blocks} tensor blocks were allocated after warm-up");
    }

    private static void Batch(Report report, Transformer model, int[] prompt, int batch, string name)
    {
        using var scope = Scope.Open();
        var cache = new KvCache(model, batch);
        var samples = new Samples(model, batch);
        int[] ids = [.. Enumerable.Range(0, batch * Prompt).Select(i => prompt[i % Prompt])], next = new int[batch];
        var sampling = new Sampling { Temperature = 0 };
        int position = 0;

        void Step(int[] input, int tokens)
        {
            using var step = Scope.Open();
            float[] logits = model.NextLogits(Tensor.From(input, [batch, tokens], model.Device), cache).ToArray<float>();
            int vocabulary = logits.Length / batch;
            for (int b = 0; b < batch; b++) next[b] = sampling.Draw(logits.AsSpan(b * vocabulary, vocabulary), position);
            position++;
        }

        Step(ids, Prompt);
        for (int i = 0; i < WarmUp / 2; i++) Step(next, 1);
        for (int i = 0; i < Tokens / 2; i++) samples.Add(cache.Length, () => Step(next, 1));
        samples.Print(report, name);
    }

    // The cache and the one-row kernels give what a pass over the whole text gives.
    private static void Verify(Report report, Transformer model, int[] prompt)
    {
        using var scope = Scope.Open();
        var cache = new KvCache(model);
        model.NextLogits(Tensor.From(prompt[..^1], [1, Prompt - 1], model.Device), cache);
        float[] one = model.NextLogits(Tensor.From(prompt[^1..], [1, 1], model.Device), cache).ToArray<float>();
        float[] all = model.NextLogits(Tensor.From(prompt, [1, Prompt], model.Device)).ToArray<float>();
        float worst = one.Zip(all, (a, b) => MathF.Abs(a - b)).Max(), largest = all.Max(MathF.Abs);
        if (!(worst <= 1e-4f * largest)) report.Wrong(model.Config.FeedForward.ToString(), $"cached and whole text differ by {worst} of {largest}");
    }

    private sealed class Samples(Transformer model, int batch)
    {
        private readonly List<double> _times = [], _shares = [];
        private double _bytes;

        public void Add(int cached, Action step)
        {
            var config = model.Config;
            // A tied embedding is read whole, as the head; of an untied one a row per sequence.
            double weights = model.Parameters.Sum(p => p.Value.Bytes) - (config.Tied ? 0 : (double)config.VocabularySize * config.Width * 4);
            _bytes = weights + 4.0 * batch * config.Width + 8.0 * batch * config.Layers * (cached + 1) * config.KeyValueWidth;
            double flops = 2.0 * batch * (weights / 4 + 2.0 * config.Layers * (cached + 1) * config.QueryWidth);
            double read = Machine.ReadBandwidthNow(), peak = Machine.Peak(0.003);
            long began = Stopwatch.GetTimestamp();
            step();
            double took = Stopwatch.GetElapsedTime(began).TotalSeconds;
            read = (read + Machine.ReadBandwidthNow()) / 2;
            _times.Add(took);
            _shares.Add(Math.Max(_bytes / read, flops / peak) / took);
        }

        public void Print(Report report, string name, params (string, double, string)[] more)
        {
            double seconds = Timing.Median(_times);
            report.Line("decode", name,
                [("tokens/s", batch / seconds, "F1"), ("ms", seconds * 1e3, "F2"), ("MB read", _bytes / 1e6, "F0"),
                    ("of bound", Timing.Median(_shares), "P1"), .. more]);
        }
    }
}

using CsCheck;
using Sfn.Train;

namespace Sfn.Tests.Train;

public class BatchSamplerTests
{
    private static TokenFile Tokens(TemporaryFolder folder, int count)
    {
        string path = folder["t" + count];
        using (var stream = File.Create(path))
        {
            using var writer = new TokenFileWriter(stream, 65_536);
            for (int i = 0; i < count; i++) writer.Write(i);
            writer.Complete();
        }
        return TokenFile.Open(path, 65_536);
    }

    [Fact]
    public void Each_epoch_visits_every_window_once() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 3000], Gen.ULong).Sample((context, extra, seed) =>
        {
            using var folder = new TemporaryFolder();
            using var tokens = Tokens(folder, context + extra);
            var sampler = new BatchSampler(tokens, context, 4, seed);
            for (long epoch = 0; epoch < 3; epoch++)
            {
                long[] offsets = [.. Enumerable.Range(0, (int)sampler.Windows).Select(i => sampler.Offset(epoch * sampler.Windows + i)).Order()];
                Assert.InRange(offsets[0], 0, context - 1);
                Assert.True(offsets[^1] + context + 1 <= tokens.Count);
                for (int i = 1; i < offsets.Length; i++) Assert.Equal(context, offsets[i] - offsets[i - 1]);
            }
        }, iter: 60);

    [Fact]
    public void Batches_are_a_function_of_seed_and_step_and_targets_follow_tokens()
    {
        using var folder = new TemporaryFolder();
        using var tokens = Tokens(folder, 10_000);
        var sampler = new BatchSampler(tokens, 32, 8, seed: 7);
        int[] a = new int[256], next = new int[256], b = new int[256], other = new int[256];
        sampler.Fill(123, a, next);
        Assert.Equal(a.Select(t => t + 1), next);
        new BatchSampler(tokens, 32, 8, seed: 7).Fill(123, b, next);
        Assert.Equal(a, b);
        new BatchSampler(tokens, 32, 8, seed: 8).Fill(123, other, next);
        Assert.NotEqual(a, other);
        // Micro-batches are the rows of the large batch.
        sampler.Fill(123, 0, b.AsSpan(0, 64), next.AsSpan(0, 64));
        sampler.Fill(123, 2, b.AsSpan(64), next.AsSpan(64));
        Assert.Equal(a, b);
        Assert.Throws<ArgumentOutOfRangeException>(() => sampler.Fill(0, 1, b, next));
        Assert.NotEqual(sampler.Offset(0) % 32, sampler.Offset(sampler.Windows) % 32);
    }

    [Fact]
    public void The_order_looks_random()
    {
        using var folder = new TemporaryFolder();
        using var tokens = Tokens(folder, 60_000);
        var sampler = new BatchSampler(tokens, 16, 8, seed: 1);
        double[] windows = [.. Enumerable.Range(0, (int)sampler.Windows).Select(i => (double)(sampler.Offset(i) / 16))];
        double mean = windows.Average(), variance = windows.Average(w => (w - mean) * (w - mean));
        double correlation = windows.Zip(windows.Skip(1), (x, y) => (x - mean) * (y - mean)).Average() / variance;
        Assert.InRange(correlation, -0.06, 0.06);
        Assert.InRange(windows.Take(500).Average() / mean, 0.9, 1.1);
    }

    [Fact]
    public void Too_few_tokens_are_an_input_error()
    {
        using var folder = new TemporaryFolder();
        using var tokens = Tokens(folder, 32);
        Assert.Contains("--context", Assert.Throws<InputError>(() => new BatchSampler(tokens, 32, 1, 0)).Message, StringComparison.Ordinal);
        Assert.Equal(0, new BatchSampler(tokens, 31, 1, 0).Offset(5));
        Assert.Throws<InputError>(() => new EvaluationWindows(tokens, 32, 1));
    }

    [Fact]
    public void Evaluation_windows_are_evenly_spaced_and_distinct()
    {
        using var folder = new TemporaryFolder();
        using var tokens = Tokens(folder, 1001);
        var all = new EvaluationWindows(tokens, 10, 1000);
        Assert.Equal(100, all.Count);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => i * 10L), Enumerable.Range(0, 100).Select(i => all.Offset(i)));
        var some = new EvaluationWindows(tokens, 10, 7);
        Assert.Equal([0, 140, 280, 420, 570, 710, 850], Enumerable.Range(0, 7).Select(i => some.Offset(i)));
        int[] x = new int[20], y = new int[20];
        some.Fill(1, x, y);
        Assert.Equal((140, 141, 280, 281), (x[0], y[0], x[10], y[10]));
    }
}

using Sfn.Nn;

namespace Sfn.Tests.Nn;

/// <summary>The draws of <see cref="Sampling"/> against sorting the whole vocabulary.</summary>
public sealed class SamplingTests
{
    [Theory]
    [InlineData(0, 1f)]
    [InlineData(1, 1f)]
    [InlineData(5, 1f)]
    [InlineData(0, 0.5f)]
    [InlineData(0, 0.95f)]
    [InlineData(40, 0.9f)]
    [InlineData(100_000, 0.999f)]
    public void DrawsWhatAFullSortDraws(int topK, float topP)
    {
        var random = new Random(3);
        for (int round = 0; round < 40; round++)
        {
            var sampling = new Sampling { TopK = topK, TopP = topP, Temperature = 0.5f + 0.1f * (round % 10), Seed = 5 };
            // Rounded, so that equal logits occur.
            float[] logits = [.. Enumerable.Range(0, 1000).Select(_ => MathF.Round(4 * (float)random.NextDouble() * round / 5) / 2)];
            Assert.Equal(Sorted(sampling, logits, round), sampling.Draw(logits, round));
        }
    }

    private static int Sorted(Sampling sampling, float[] logits, int position)
    {
        float best = logits.Max();
        double[] weights = [.. logits.Select(l => Math.Exp((l - best) / (double)sampling.Temperature))];
        bool cut = sampling.TopK > 0 || sampling.TopP < 1;
        int[] order = [.. Enumerable.Range(0, logits.Length)];
        if (cut) order = [.. order.OrderByDescending(i => weights[i])];
        if (sampling.TopK > 0) order = [.. order.Take(sampling.TopK)];
        double total = order.Sum(i => weights[i]), sum = 0;
        if (sampling.TopP < 1) order = [.. order.TakeWhile(i => { bool more = sum < sampling.TopP * total; sum += weights[i]; return more; })];
        double at = Philox.Unit(Philox.At(sampling.Seed, (ulong)position)) * order.Sum(i => weights[i]);
        foreach (int i in order)
        {
            at -= weights[i];
            if (at < 0) return i;
        }
        return order[^1];
    }
}

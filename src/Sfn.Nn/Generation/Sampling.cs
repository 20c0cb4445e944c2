using System.Buffers;
using System.Numerics.Tensors;

namespace Sfn.Nn;

/// <summary>How the next token is drawn from the logits.</summary>
public sealed record Sampling
{
    /// <summary>Divides the logits; 0 always takes the most likely token.</summary>
    public float Temperature { get; init; } = 1f;

    /// <summary>Only the k most likely tokens; 0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>Only the most likely tokens that together have this probability (Holtzman et al. 2019); 1 for all.</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>Seed of the draws: the same seed gives the same text.</summary>
    public ulong Seed { get; init; }

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ConfigError">A value is out of range.</exception>
    public Sampling Validate()
    {
        if (!(Temperature >= 0) || !float.IsFinite(Temperature))
            throw new ConfigError($"the temperature must be a number of at least 0, not {Temperature} (--temperature)");
        if (TopK < 0) throw new ConfigError($"top-k must be at least 0 (0: all tokens), not {TopK} (--top-k)");
        if (!(TopP > 0 && TopP <= 1)) throw new ConfigError($"top-p must be above 0 and at most 1, not {TopP} (--top-p)");
        return this;
    }

    /// <summary>Draws token number <paramref name="position"/> of a text from its logits.</summary>
    public int Draw(ReadOnlySpan<float> logits, int position)
    {
        int best = TensorPrimitives.IndexOfMax(logits);
        if (Temperature == 0 || TopK == 1) return best;

        double[] weights = ArrayPool<double>.Shared.Rent(logits.Length);
        int[] order = ArrayPool<int>.Shared.Rent(logits.Length);
        double total = 0;
        for (int i = 0; i < logits.Length; i++) total += weights[i] = Math.Exp((logits[i] - logits[best]) / (double)Temperature);
        int count = TopK > 0 || TopP < 1 ? Likely(weights, logits.Length, total, order) : logits.Length;
        bool all = count == logits.Length && TopK == 0 && TopP == 1;
        if (!all)
        {
            total = 0;
            for (int i = 0; i < count; i++) total += weights[order[i]];
        }
        double at = Philox.Unit(Philox.At(Seed, (ulong)position)) * total;
        int drawn = 0;
        for (; drawn < count - 1; drawn++)
        {
            at -= weights[all ? drawn : order[drawn]];
            if (at < 0) break;
        }
        if (!all) drawn = order[drawn];
        ArrayPool<double>.Shared.Return(weights);
        ArrayPool<int>.Shared.Return(order);
        return drawn;
    }

    // The tokens that top-k and top-p leave, most likely first, at the start of the order; returns how many.
    private int Likely(double[] weights, int tokens, double total, int[] order)
    {
        // Sorting a large vocabulary takes as long as the model. Tokens below (1 − p)·total/n have together less than the share that top-p leaves
        // out, so none of them is needed; half of that is safe against rounding. Top-k needs none below the k-th largest weight.
        double least = TopK > 0 ? KthLargest(weights.AsSpan(0, tokens), Math.Min(TopK, tokens)) : (1 - (double)TopP) * total / tokens / 2;
        int count = 0;
        for (int i = 0; i < tokens; i++) if (!(weights[i] < least)) order[count++] = i;
        // Equal logits stay in id order, so that a draw does not depend on the sort.
        order.AsSpan(0, count).Sort((a, b) => weights[b] != weights[a] ? weights[b].CompareTo(weights[a]) : a.CompareTo(b));
        if (TopK > 0)
        {
            count = Math.Min(count, TopK);
            total = 0;
            for (int i = 0; i < count; i++) total += weights[order[i]];
        }
        if (TopP == 1) return count;
        int n = 0;
        for (double sum = 0; n < count && sum < TopP * total;) sum += weights[order[n++]];
        return Math.Max(1, n);
    }

    private static double KthLargest(ReadOnlySpan<double> weights, int k)
    {
        var largest = new PriorityQueue<int, double>(k + 1);
        for (int i = 0; i < weights.Length; i++)
        {
            if (i < k) largest.Enqueue(i, weights[i]);
            else if (largest.TryPeek(out _, out double least) && weights[i] > least) largest.EnqueueDequeue(i, weights[i]);
        }
        return weights[largest.Peek()];
    }
}

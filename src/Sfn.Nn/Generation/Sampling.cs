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
        int best = 0;
        for (int i = 1; i < logits.Length; i++) if (logits[i] > logits[best]) best = i;
        if (Temperature == 0 || TopK == 1) return best;

        int[] order = new int[logits.Length];
        double[] weights = new double[logits.Length];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
            weights[i] = Math.Exp((logits[i] - logits[best]) / (double)Temperature);
        }
        int count = order.Length;
        if (TopK > 0 || TopP < 1)
        {
            // Equal logits stay in id order, so that a draw does not depend on the sort.
            Array.Sort(order, (a, b) => weights[b] != weights[a] ? weights[b].CompareTo(weights[a]) : a.CompareTo(b));
            if (TopK > 0) count = Math.Min(count, TopK);
            if (TopP < 1)
            {
                double total = 0, sum = 0;
                for (int i = 0; i < count; i++) total += weights[order[i]];
                int n = 0;
                while (n < count && sum < TopP * total) sum += weights[order[n++]];
                count = Math.Max(1, n);
            }
        }
        double all = 0;
        for (int i = 0; i < count; i++) all += weights[order[i]];
        double at = Philox.Unit(Philox.At(Seed, (ulong)position)) * all;
        for (int i = 0; i < count; i++)
        {
            at -= weights[order[i]];
            if (at < 0) return order[i];
        }
        return order[count - 1];
    }
}

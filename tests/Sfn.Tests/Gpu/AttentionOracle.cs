namespace Sfn.Tests.Gpu;

/// <summary>Attention and its gradients in float64 over dense arrays: q, o, dO [batch, tq, heads, dim], k and v [batch, tk, kvHeads, dim].</summary>
internal sealed class AttentionOracle
{
    public required int Batch, Tq, Tk, Heads, KvHeads, Dim;
    public bool Causal;
    public byte[]? Mask;
    public float[] Q = [], K = [], V = [], DO = [];
    public double[] O = [], Lse = [], DQ = [], DK = [], DV = [];

    public double Scale => 1f / MathF.Sqrt(Dim);

    public override string ToString() =>
        $"batch {Batch}, tq {Tq}, tk {Tk}, heads {Heads}/{KvHeads}, dim {Dim}{(Causal ? ", causal" : "")}{(Mask is null ? "" : ", masked")}";

    /// <summary>Random operands (rounded by <paramref name="round"/>), a random mask if asked for, and the expected results.</summary>
    public AttentionOracle Fill(int seed, bool masked, Func<float, float>? round = null)
    {
        var random = new Random(seed);
        float[] Normal(int count)
        {
            var x = new float[count];
            for (int i = 0; i < count; i++)
            {
                float value = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
                x[i] = round is null ? value : round(value);
            }
            return x;
        }
        (Q, DO) = (Normal(Batch * Tq * Heads * Dim), Normal(Batch * Tq * Heads * Dim));
        (K, V) = (Normal(Batch * Tk * KvHeads * Dim), Normal(Batch * Tk * KvHeads * Dim));
        if (masked)
        {
            // Any pattern; the first of several batch elements has no key at all.
            Mask = new byte[Batch * Tk];
            for (int i = Batch > 1 ? Tk : 0; i < Mask.Length; i++) Mask[i] = (byte)random.Next(2);
        }
        Compute();
        return this;
    }

    private void Compute()
    {
        (O, DQ, DK, DV, Lse) = (new double[Q.Length], new double[Q.Length], new double[K.Length], new double[K.Length], new double[Batch * Heads * Tq]);
        var weights = new double[Tk];
        for (int b = 0; b < Batch; b++)
            for (int h = 0; h < Heads; h++)
                for (int i = 0; i < Tq; i++) Row(weights, b, h, i);
    }

    private void Row(double[] weights, int b, int h, int i)
    {
        int q = ((b * Tq + i) * Heads + h) * Dim, kv = h / (Heads / KvHeads);
        int At(int key) => ((b * Tk + key) * KvHeads + kv) * Dim;
        double max = double.NegativeInfinity, sum = 0, delta = 0;
        for (int j = 0; j < Tk; j++)
        {
            double s = 0;
            for (int c = 0; c < Dim; c++) s += (double)Q[q + c] * K[At(j) + c];
            bool sees = (!Causal || j <= i + Tk - Tq) && (Mask is null || Mask[b * Tk + j] != 0);
            weights[j] = sees ? s * Scale : double.NegativeInfinity;
            max = Math.Max(max, weights[j]);
        }
        Lse[(b * Heads + h) * Tq + i] = double.NegativeInfinity;
        if (double.IsNegativeInfinity(max)) return;
        for (int j = 0; j < Tk; j++) sum += weights[j] = Math.Exp(weights[j] - max);
        Lse[(b * Heads + h) * Tq + i] = max + Math.Log(sum);
        for (int c = 0; c < Dim; c++)
        {
            double y = 0;
            for (int j = 0; j < Tk; j++) y += weights[j] / sum * V[At(j) + c];
            O[q + c] = y;
            delta += y * DO[q + c];
        }
        for (int j = 0; j < Tk; j++)
        {
            double w = weights[j] / sum, dp = 0;
            for (int c = 0; c < Dim; c++) dp += (double)DO[q + c] * V[At(j) + c];
            double ds = w * (dp - delta) * Scale;
            for (int c = 0; c < Dim; c++)
            {
                DV[At(j) + c] += w * DO[q + c];
                DQ[q + c] += ds * K[At(j) + c];
                DK[At(j) + c] += ds * Q[q + c];
            }
        }
    }

    /// <summary>Fails if an element is further away than <paramref name="tolerance"/>, relative to 1 + |expected|.</summary>
    public void Near(double[] expected, ReadOnlySpan<float> actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (double.IsNegativeInfinity(expected[i]) && float.IsNegativeInfinity(actual[i])) continue;
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * (1 + Math.Abs(expected[i])), $"{this}: {what}[{i}] is {actual[i]}, not {expected[i]}");
        }
    }
}

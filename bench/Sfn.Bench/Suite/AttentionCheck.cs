namespace Sfn.Bench.Suite;

/// <summary>Causal attention and its gradients at sampled rows, in float64 by the definition, from operands [batch, tokens, heads, dim].</summary>
internal sealed class AttentionCheck(Tensor q, Tensor k, Tensor v, Tensor o, Tensor dO)
{
    // The very last keys have gradients of few terms, which may cancel.
    private const int Samples = 4, Last = 16, Late = 128;
    private readonly int _batch = q.Shape[0], _tokens = q.Shape[1], _heads = q.Shape[2], _dim = q.Shape[3];
    private readonly double _scale = 1 / Math.Sqrt(q.Shape[3]);

    /// <summary>Largest deviation of the result, relative to the row's largest value.</summary>
    public double Forward()
    {
        var random = new Random(1);
        double worst = 0;
        for (int s = 0; s < Samples; s++)
        {
            using var scope = Scope.Open("verification");
            int b = random.Next(_batch), h = random.Next(_heads), i = s == 0 ? _tokens - 1 : random.Next(_tokens);
            var keys = Head(k, b, h);
            worst = Data.Larger(worst, Deviation(Head(o, b, h)[i], Mix(Probabilities(Head(q, b, h)[i], keys, i), Head(v, b, h))));
        }
        return worst;
    }

    /// <summary>The same for the gradients. Those of a key sum over all later queries, so that mostly late keys are sampled.</summary>
    public double Backward(Tensor dq, Tensor dk, Tensor dv)
    {
        var random = new Random(2);
        double worst = 0;
        for (int s = 0; s < Samples; s++)
        {
            using var scope = Scope.Open("verification");
            int b = random.Next(_batch), h = random.Next(_heads), j = Math.Max(0, _tokens - Last - 1 - random.Next(Late));
            double[][] queries = Head(q, b, h), keys = Head(k, b, h), values = Head(v, b, h), outer = Head(dO, b, h);
            double[] keyGradient = new double[_dim], valueGradient = new double[_dim];
            for (int i = j; i < _tokens; i++)
            {
                double[] p = Probabilities(queries[i], keys, i), inner = [.. Enumerable.Range(0, i + 1).Select(t => Dot(outer[i], values[t]))];
                double mean = Dot(p, inner);
                double[] ds = [.. p.Select((value, t) => value * (inner[t] - mean) * _scale)];
                for (int d = 0; d < _dim; d++)
                {
                    keyGradient[d] += ds[j] * queries[i][d];
                    valueGradient[d] += p[j] * outer[i][d];
                }
                if (i == j) worst = Data.Larger(worst, Deviation(Head(dq, b, h)[i], Mix(ds, keys)));
            }
            worst = Data.Larger(worst, Data.Larger(Deviation(Head(dk, b, h)[j], keyGradient), Deviation(Head(dv, b, h)[j], valueGradient)));
        }
        return worst;
    }

    private double[] Probabilities(double[] query, double[][] keys, int i)
    {
        double[] scores = [.. Enumerable.Range(0, i + 1).Select(t => Dot(query, keys[t]) * _scale)];
        double most = scores.Max(), sum = 0;
        for (int t = 0; t <= i; t++) sum += scores[t] = Math.Exp(scores[t] - most);
        for (int t = 0; t <= i; t++) scores[t] /= sum;
        return scores;
    }

    private double[] Mix(double[] weights, double[][] rows)
    {
        double[] sum = new double[_dim];
        for (int t = 0; t < weights.Length; t++)
            for (int d = 0; d < _dim; d++) sum[d] += weights[t] * rows[t][d];
        return sum;
    }

    // [tokens][dim] of one head.
    private double[][] Head(Tensor x, int b, int h) => [.. Data.Row(x[b].Narrow(1, h, 1)).Chunk(_dim)];

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    private static double Deviation(double[] got, double[] expected)
    {
        double size = expected.Max(Math.Abs), worst = 0;
        for (int i = 0; i < got.Length; i++) worst = Data.Larger(worst, Math.Abs(got[i] - expected[i]) / Math.Max(size, 1e-9));
        return worst;
    }
}

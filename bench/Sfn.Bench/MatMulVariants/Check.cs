namespace Sfn.Bench.MatMulVariants;

/// <summary>
/// Tests a product in float64 without computing it again. For a vector v, C·v must equal A·(B·v), which takes a few passes and looks at every
/// element of C (Freivalds 1977); elements compared one by one with their own sums bound the rounding error.
/// </summary>
internal sealed class Check
{
    private const int Samples = 4000;
    private readonly Product _p;
    private readonly double[] _v, _abv, _size;
    private readonly (int Row, int Column, double Value, double Size)[] _samples = new (int, int, double, double)[Samples];

    public Check(Product p)
    {
        _p = p;
        var random = new Random(1);
        _v = new double[p.N];
        foreach (ref double x in _v.AsSpan()) x = 1 + random.NextDouble();
        double[] bv = new double[p.K], bsize = new double[p.K];
        for (int k = 0; k < p.K; k++) (bv[k], bsize[k]) = Dot(p.SafeB.Slice(k * p.N, p.N), _v, _v);
        (_abv, _size) = (new double[p.M], new double[p.M]);
        for (int i = 0; i < p.M; i++) (_abv[i], _size[i]) = Dot(p.SafeA.Slice(i * p.K, p.K), bv, bsize);
        for (int s = 0; s < Samples; s++)
        {
            int i = random.Next(p.M), j = random.Next(p.N);
            double sum = 0, size = 0;
            for (int k = 0; k < p.K; k++)
            {
                double term = (double)p.SafeA[i * p.K + k] * p.SafeB[k * p.N + j];
                sum += term;
                size += Math.Abs(term);
            }
            _samples[s] = (i, j, sum, size);
        }
    }

    /// <summary>What is wrong with C, or null.</summary>
    public string? Fault()
    {
        foreach (var (i, j, value, size) in _samples)
        {
            float c = _p.SafeC[i * _p.N + j];
            if (!(Math.Abs(c - value) <= 1e-6 * size)) return $"C[{i}, {j}] is {c}, the float64 sum is {value}";
        }
        for (int i = 0; i < _p.M; i++)
        {
            double cv = Dot(_p.SafeC.Slice(i * _p.N, _p.N), _v, _v).Sum;
            // Rounding errors of many elements nearly cancel, so that one wrong element shows.
            if (!(Math.Abs(cv - _abv[i]) <= 5e-8 * _size[i])) return $"row {i} of C·v is {cv}, of A·(B·v) {_abv[i]}";
        }
        return null;
    }

    // x·y, and |x|·z: the size of the terms.
    private static (double Sum, double Size) Dot(ReadOnlySpan<float> x, double[] y, double[] z)
    {
        double sum = 0, size = 0;
        for (int i = 0; i < x.Length; i++)
        {
            sum += x[i] * y[i];
            size += Math.Abs(x[i]) * z[i];
        }
        return (sum, size);
    }
}

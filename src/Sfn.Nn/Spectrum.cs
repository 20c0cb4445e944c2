namespace Sfn.Nn;

/// <summary>Singular values of random matrices.</summary>
internal static class Spectrum
{
    /// <summary>
    /// Singular values, largest first, distributed as those of a rows × columns matrix of normal numbers. Householder's
    /// bidiagonalization of such a matrix has independent entries: chi with m, m−1, … degrees of freedom on the diagonal and n−1, n−2, …
    /// beside it.
    /// </summary>
    public static double[] OfNormal(ulong seed, int rows, int columns, double std)
    {
        int m = Math.Max(rows, columns), n = Math.Min(rows, columns);
        double[] diagonal = new double[n], beside = new double[n];
        ulong counter = 0;
        for (int i = 0; i < n; i++)
        {
            diagonal[i] = Chi(seed, ref counter, m - i);
            if (i + 1 < n) beside[i] = Chi(seed, ref counter, n - 1 - i);
        }
        // BᵀB is tridiagonal; its eigenvalues are the squares.
        double[] d = new double[n], e = new double[n];
        for (int i = 0; i < n; i++)
        {
            d[i] = diagonal[i] * diagonal[i] + (i > 0 ? beside[i - 1] * beside[i - 1] : 0);
            if (i + 1 < n) e[i] = diagonal[i] * beside[i];
        }
        Eigenvalues(d, e);
        Array.Sort(d);
        Array.Reverse(d);
        for (int i = 0; i < n; i++) d[i] = std * Math.Sqrt(Math.Max(0, d[i]));
        return d;
    }

    // √ of a sum of squares of that many normal numbers, by Marsaglia and Tsang's gamma sampler (2000).
    private static double Chi(ulong seed, ref ulong counter, int degrees)
    {
        double shape = degrees / 2.0, boost = 1;
        if (shape < 1)
        {
            boost = Math.Pow(Uniform(seed, ref counter), 1 / shape);
            shape += 1;
        }
        double d = shape - 1.0 / 3, c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            double x = Math.Sqrt(-2 * Math.Log(Uniform(seed, ref counter))) * Math.Cos(2 * Math.PI * Uniform(seed, ref counter));
            double v = 1 + c * x;
            if (v <= 0) continue;
            v = v * v * v;
            if (Math.Log(Uniform(seed, ref counter)) < 0.5 * x * x + d - d * v + d * Math.Log(v)) return Math.Sqrt(2 * d * v * boost);
        }
    }

    private static double Uniform(ulong seed, ref ulong counter)
    {
        var (a, b, _, _) = Philox.Words(seed, counter++);
        return (((ulong)a << 21 ^ b >> 11) + 0.5) * (1.0 / (1UL << 53));
    }

    // Implicit QL iterations on a symmetric tridiagonal matrix, values only (Wilkinson and Reinsch 1971, procedure imtql1).
    private static void Eigenvalues(double[] d, double[] e)
    {
        int n = d.Length;
        for (int l = 0; l < n; l++)
        {
            for (int iteration = 0; iteration < 60; iteration++)
            {
                int m = l;
                while (m < n - 1 && Math.Abs(e[m]) > 1e-15 * (Math.Abs(d[m]) + Math.Abs(d[m + 1]))) m++;
                if (m == l) break;
                double g = (d[l + 1] - d[l]) / (2 * e[l]), r = Math.Sqrt(g * g + 1);
                g = d[m] - d[l] + e[l] / (g + Math.CopySign(r, g));
                double s = 1, c = 1, p = 0;
                int i = m - 1;
                for (; i >= l; i--)
                {
                    double f = s * e[i], b = c * e[i];
                    e[i + 1] = r = Math.Sqrt(f * f + g * g);
                    if (r == 0)
                    {
                        d[i + 1] -= p;
                        e[m] = 0;
                        break;
                    }
                    s = f / r;
                    c = g / r;
                    g = d[i + 1] - p;
                    r = (d[i] - g) * s + 2 * c * b;
                    p = s * r;
                    d[i + 1] = g + p;
                    g = c * r - b;
                }
                if (r == 0 && i >= l) continue;
                d[l] -= p;
                e[l] = g;
                e[m] = 0;
            }
        }
    }
}

namespace Sfn.Bench.Suite;

/// <summary>Operands, and single rows of results for verification.</summary>
internal static class Data
{
    // Prime: rows of a matrix begin at different places of the tile, so that no two are equal.
    private const int Tile = 1_000_003;

    /// <summary>Normal numbers, a tile of them repeated: drawing hundreds of millions on the host would take longer than measuring.</summary>
    public static Tensor Normal(Shape shape, ulong seed, DType dtype, Device device, float std = 1)
    {
        float[] tile = new float[Math.Min(Tile, shape.Count)];
        Philox.Normal(seed, tile, std);
        float[] values = new float[checked((int)shape.Count)];
        for (int at = 0; at < values.Length; at += tile.Length)
            tile.AsSpan(0, Math.Min(tile.Length, values.Length - at)).CopyTo(values.AsSpan(at));
        var whole = Tensor.From<float>(values, shape, device);
        return whole.To(dtype);
    }

    /// <summary>The elements of a (small) tensor as float64, in row-major order.</summary>
    public static double[] Row(Tensor row) => Array.ConvertAll(row.ToArray(), v => (double)v);

    /// <summary>
    /// Largest deviation of <paramref name="samples"/> elements of y = x·wᵀ (x [m, k], w [n, k]) from float64 sums, relative to the sum of the terms' sizes;
    /// and what of it is left without the rounding of a bfloat16 result, half a unit in its last of 8 bits.
    /// </summary>
    public static (double Error, double Unexplained) ProductError(Tensor x, Tensor w, Tensor y, int samples = 64)
    {
        var random = new Random(1);
        double worst = 0, unexplained = 0, rounding = y.DType == DType.BF16 ? 1 / 256.0 : 0;
        for (int s = 0; s < samples; s++)
        {
            using var scope = Scope.Open("verification");
            int i = random.Next(y.Shape[0]), j = random.Next(y.Shape[1]);
            double[] a = Row(x[i]), b = Row(w[j]);
            double sum = 0, size = 0;
            for (int k = 0; k < a.Length; k++)
            {
                sum += a[k] * b[k];
                size += Math.Abs(a[k] * b[k]);
            }
            double off = Math.Abs(Row(y[i, j..(j + 1)])[0] - sum);
            worst = Larger(worst, off / size);
            unexplained = Larger(unexplained, (off - rounding * Math.Abs(sum)) / size);
        }
        return (worst, unexplained);
    }

    /// <summary>The larger of two, NaN if either is: a NaN must not pass for a small error.</summary>
    public static double Larger(double a, double b) => double.IsNaN(a) || double.IsNaN(b) ? double.NaN : Math.Max(a, b);
}

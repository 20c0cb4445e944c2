using Sfn.Backends.Cpu;
using Sfn.Kernels;
using Sfn.Ops;
using static Sfn.Tests.WalkerTests;

namespace Sfn.Tests;

using Sfn.Ops.Rows;

public unsafe class RowWalkerTests
{
    private const int Rows = 5;

    public static TheoryData<int> Widths => [1, 3, 31, 32, 33, 64, 65, 96, 100, 257, 768];

    [Theory]
    [MemberData(nameof(Widths))]
    public void Softmax_family(int cols)
    {
        float[] x = Random(Rows * cols, 1), dy = Random(Rows * cols, 2), keep = new float[Rows];
        float[] soft = Run(new Softmax(), x, null, null, cols), log = Run(new LogSoftmax(), x, null, null, cols);
        Run(new LogSumExp(), x, null, null, cols, kept0: keep);
        float[] softGrad = Run(new SoftmaxBackward(), soft, dy, null, cols, bRows: true);
        float[] logGrad = Run(new LogSoftmaxBackward(), log, dy, null, cols, bRows: true);
        float[] lseGrad = Run(new LogSumExpBackward(), x, null, null, cols, scalar0: keep, scalar1: [2, 2, 2, 2, 2]);
        for (int r = 0; r < Rows; r++)
        {
            double[] row = Row(x, r, cols), g = Row(dy, r, cols);
            double lse = Math.Log(row.Sum(Math.Exp)), dot = row.Select((v, c) => Math.Exp(v - lse) * g[c]).Sum();
            Near(lse, keep[r], 1e-6);
            for (int c = 0; c < cols; c++)
            {
                double p = Math.Exp(row[c] - lse);
                int i = r * cols + c;
                Near(p, soft[i], 1e-6);
                Near(row[c] - lse, log[i], 1e-6);
                Near(p * (g[c] - dot), softGrad[i], 2e-6);
                Near(g[c] - p * g.Sum(), logGrad[i], 2e-5);
                Near(2 * p, lseGrad[i], 2e-6);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Norms_and_their_gradients(int cols)
    {
        const float Eps = 1e-3f;
        float[] x = Random(Rows * cols, 3), dy = Random(Rows * cols, 4), w = Random(cols, 5), b = Random(cols, 6);
        float[] rstd = new float[Rows], mean = new float[Rows], rms = new float[Rows], dw = new float[cols], db = new float[cols];
        float[] y = Run(new LayerNorm<WeightedBiased>(Eps), x, w, b, cols, kept0: rstd, kept1: mean);
        float[] plain = Run(new LayerNorm<NoAffine>(Eps), x, null, null, cols);
        float[] dx = Run(new LayerNormBackward<Weighted>(), x, w, dy, cols, cRows: true, scalar0: rstd, scalar1: mean);
        float[] yr = Run(new RmsNorm<Weighted>(Eps), x, w, null, cols, kept0: rms);
        float[] dxr = Run(new RmsNormBackward<Weighted>(), x, w, dy, cols, cRows: true, scalar0: rms);
        fixed (float* px = x, pdy = dy, pm = mean, ps = rstd, pdw = dw, pdb = db)
            NormWalker.WeightGrad(px, pdy, pm, ps, pdw, pdb, Rows, cols, cols, cols, accumulate: false);
        double[] dwExact = new double[cols], dbExact = new double[cols];
        for (int r = 0; r < Rows; r++)
        {
            double[] row = Row(x, r, cols), g = Row(dy, r, cols);
            double m = row.Average(), s = 1 / Math.Sqrt(row.Average(v => (v - m) * (v - m)) + Eps), q = 1 / Math.Sqrt(row.Average(v => v * v) + Eps);
            double gm = g.Select((v, c) => v * w[c]).Average(), gx = g.Select((v, c) => v * w[c] * (row[c] - m) * s).Average();
            double gr = g.Select((v, c) => v * w[c] * row[c] * q).Average();
            for (int c = 0; c < cols; c++)
            {
                int i = r * cols + c;
                double n = (row[c] - m) * s;
                Near(n, plain[i], 1e-5);
                Near(n * w[c] + b[c], y[i], 1e-5);
                Near(s * (g[c] * w[c] - gm - n * gx), dx[i], 2e-4);
                Near(row[c] * q * w[c], yr[i], 1e-5);
                Near(q * (g[c] * w[c] - row[c] * q * gr), dxr[i], 2e-4);
                dwExact[c] += g[c] * n;
                dbExact[c] += g[c];
            }
        }
        for (int c = 0; c < cols; c++)
        {
            Near(dwExact[c], dw[c], 1e-5);
            Near(dbExact[c], db[c], 1e-6);
        }
    }

    [Fact]
    public void Weight_gradients_sum_over_many_rows()
    {
        const int Many = 333, Cols = 70;
        float[] x = Random(Many * Cols, 7), dy = Random(Many * Cols, 8), rstd = Random(Many, 9), dw = new float[Cols];
        fixed (float* px = x, pdy = dy, ps = rstd, pdw = dw) NormWalker.WeightGrad(px, pdy, null, ps, pdw, null, Many, Cols, Cols, Cols, accumulate: false);
        for (int c = 0; c < Cols; c++) Near(Enumerable.Range(0, Many).Sum(r => (double)x[r * Cols + c] * dy[r * Cols + c] * rstd[r]), dw[c], 2e-5);
    }

    [Fact]
    public void Masked_softmax_gives_zero_and_rows_of_minus_infinity_give_NaN()
    {
        float inf = float.PositiveInfinity;
        float[] y = Run(new Softmax(), [1, -inf, 1, -inf, -inf, -inf, float.NaN, 0, 0, 0, 0, -inf, 0, 0, 0], null, null, 3);
        Assert.Equal([0.5f, 0, 0.5f], y[..3]);
        Assert.All(y[3..9], v => Assert.True(float.IsNaN(v)));
        Assert.Equal([0.5f, 0.5f, 0], y[9..12]);
    }

    private static double[] Row(float[] x, int r, int cols) => [.. x.Skip(r * cols).Take(cols).Select(v => (double)v)];

    /// <summary>Runs an op on the lane of this machine and on the others, which must agree to rounding.</summary>
    private static float[] Run<TRow>(TRow op, float[] a, float[]? b, float[]? c, int cols, bool bRows = false, bool cRows = false,
        float[]? scalar0 = null, float[]? scalar1 = null, float[]? kept0 = null, float[]? kept1 = null) where TRow : struct, IRow
    {
        var y = new float[a.Length];
        var other = new float[a.Length];
        fixed (float* pa = a, pb = b, pc = c, py = y, po = other, s0 = scalar0, s1 = scalar1, k0 = kept0, k1 = kept1)
        {
            var args = new RowArgs
            {
                A = pa,
                ARow = cols,
                B = pb,
                BRow = bRows ? cols : 0,
                C = pc,
                CRow = cRows ? cols : 0,
                Y = po,
                YRow = cols,
                Scalar0 = s0,
                Scalar1 = s1,
                Kept0 = k0,
                Kept1 = k1,
                Rows = a.Length / cols,
                Columns = cols,
            };
            var main = args;
            main.Y = py;
            RowWalker.Run(op, main);
            RowWalker.Rows<TRow, F1>(op, args, 0, args.Rows);
            Same(y, other);
            RowWalker.Rows<TRow, Two<F4>>(op, args, 0, args.Rows);
            Same(y, other);
            RowWalker.Rows<TRow, Two<F8>>(op, args, 0, args.Rows);
            Same(y, other);
        }
        return y;
    }

    private static void Same(float[] x, float[] y)
    {
        for (int i = 0; i < x.Length; i++)
            Assert.True(float.IsNaN(x[i]) ? float.IsNaN(y[i]) : Math.Abs(x[i] - y[i]) <= 2e-5 * Math.Max(1, Math.Abs(x[i])), $"element {i}: {x[i]} and {y[i]}");
    }
}

using Sfn.Backends.Cpu;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests;

public unsafe class WalkerTests
{
    public static TheoryData<int> Lengths => [0, 1, 3, 4, 15, 16, 31, 32, 33, 63, 64, 100, 32768, 32769, 100_003];

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Map_reaches_every_element_and_no_other(int n)
    {
        float[] x = Random(n + 1, 1), y = new float[n + 1], dx = new float[n + 1];
        y[n] = dx[n] = 42;
        fixed (float* px = x, py = y, pdx = dx)
        {
            MapWalker.Forward(new Gelu(), px, py, n);
            for (int i = 0; i < n; i++) Near(new Gelu().Forward(new D1(x[i])).V, y[i], 1e-6);
            MapWalker.Backward(new Gelu(), px, null, py, pdx, n, accumulate: false);
            MapWalker.Backward(new Gelu(), px, null, py, pdx, n, accumulate: true);
            for (int i = 0; i < n; i++) Near(2 * new Gelu().Backward(new D1(x[i]), default, new D1(y[i])).V, dx[i], 2e-6);
            MapWalker.Forward(new Gelu(), px, px, n);
            Assert.Equal(y[..n], x[..n]);
        }
        Assert.Equal((42f, 42f), (y[n], dx[n]));
    }

    [Theory]
    [InlineData(1, 1, 1, 1, 1, 1)]
    [InlineData(7, 45, 45, 1, 45, 1)]
    [InlineData(7, 45, 0, 1, 45, 1)]
    [InlineData(7, 45, 45, 1, 1, 0)]
    [InlineData(7, 45, 1, 0, 0, 1)]
    [InlineData(7, 45, 0, 0, 60, 1)]
    [InlineData(100, 1, 1, 0, 0, 0)]
    [InlineData(3, 40_000, 40_000, 1, 0, 1)]
    [InlineData(300, 300, 0, 1, 1, 0)]
    public void Zip_broadcasts(int rows, int cols, long aRow, long aCol, long bRow, long bCol)
    {
        float[] a = Random((int)(rows * aRow + cols * aCol) + 1, 2), b = Random((int)(rows * bRow + cols * bCol) + 1, 3);
        float[] dy = Random(rows * cols, 4), y = new float[rows * cols], da = new float[rows * cols], db = new float[rows * cols];
        fixed (float* pa = a, pb = b, py = y, pdy = dy, pda = da, pdb = db)
        {
            ZipWalker.Forward(new SwiGlu(), pa, pb, py, rows, cols, aRow, aCol, bRow, bCol);
            ZipWalker.BackwardA(new SwiGlu(), pa, pb, null, pdy, pda, rows, cols, aRow, aCol, bRow, bCol);
            ZipWalker.BackwardB(new Sub(), null, null, null, pdy, pdb, rows, cols, aRow, aCol, bRow, bCol);
        }
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < cols; c++)
            {
                D1 va = new(a[r * aRow + c * aCol]), vb = new(b[r * bRow + c * bCol]);
                int i = r * cols + c;
                Near(new SwiGlu().Forward(va, vb).V, y[i], 1e-6);
                Near(new SwiGlu().BackwardA(va, vb, default, new D1(dy[i])).V, da[i], 2e-6);
                Assert.Equal(-dy[i], db[i]);
            }
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 31)]
    [InlineData(64, 33)]
    [InlineData(65, 64)]
    [InlineData(200, 1100)]
    [InlineData(3, 70_001)]
    [InlineData(1000, 7)]
    public void Reductions_match_float64(int rows, int cols)
    {
        float[] x = Random(rows * cols, 5), y = new float[rows], z = new float[cols], max = new float[cols];
        fixed (float* px = x, py = y, pz = z, pmax = max)
        {
            ReduceWalker.Rows(new SumSquares(), px, py, rows, cols, cols);
            for (int r = 0; r < rows; r++) Near(Enumerable.Range(0, cols).Sum(c => (double)x[r * cols + c] * x[r * cols + c]), y[r], 1e-6);
            ReduceWalker.Columns(new SumMonoid(), px, pz, rows, cols, cols, accumulate: false);
            ReduceWalker.Columns(new SumMonoid(), px, pz, rows, cols, cols, accumulate: true);
            ReduceWalker.Columns(new MaxMonoid(), px, pmax, rows, cols, cols, accumulate: false);
            for (int c = 0; c < cols; c++)
            {
                Near(2 * Enumerable.Range(0, rows).Sum(r => (double)x[r * cols + c]), z[c], 1e-5);
                Assert.Equal(Enumerable.Range(0, rows).Max(r => x[r * cols + c]), max[c]);
            }
            Assert.Equal(x.Max(), ReduceWalker.All(new MaxMonoid(), px, x.Length));
            Assert.Equal(x.Min(), ReduceWalker.All(new MinMonoid(), px, x.Length));
            Assert.Equal(x.Max(MathF.Abs), ReduceWalker.All(new AbsMax(), px, x.Length));
        }
    }

    [Fact]
    public void Reductions_of_nothing_are_neutral()
    {
        float none = 0, y = 7;
        Assert.Equal(0, ReduceWalker.All(new SumMonoid(), &none, 0));
        Assert.Equal(float.NegativeInfinity, ReduceWalker.All(new MaxMonoid(), &none, 0));
        ReduceWalker.Rows(new SumMonoid(), &none, &y, 1, 0, 0);
        Assert.Equal(0, y);
        y = 7;
        ReduceWalker.Columns(new SumMonoid(), &none, &y, 0, 1, 1, accumulate: false);
        Assert.Equal(0, y);
    }

    [Fact]
    public void A_NaN_anywhere_is_the_maximum()
    {
        float[] x = Random(1000, 6);
        foreach (int at in (int[])[0, 500, 999])
        {
            x[at] = float.NaN;
            fixed (float* px = x) Assert.True(float.IsNaN(ReduceWalker.All(new MaxMonoid(), px, x.Length)));
            x[at] = 0;
        }
    }

    [Fact]
    public void Long_sums_keep_their_digits()
    {
        var x = new float[10_000_000];
        Array.Fill(x, 0.1f);
        for (int i = 0; i < x.Length; i += 3) x[i] = 1.3f;
        double exact = x.Sum(v => (double)v);
        fixed (float* px = x) Assert.Equal(1, ReduceWalker.All(new SumMonoid(), px, x.Length) / exact, 1e-6);
    }

    [Fact]
    public void Results_do_not_depend_on_the_number_of_threads()
    {
        const int Rows = 300, Cols = 1000;
        float[] x = Random(Rows * Cols, 7);
        int threads = CpuPool.Threads;
        float[]? expected = null;
        try
        {
            foreach (int n in (int[])[1, 2, 3])
            {
                CpuPool.Threads = n;
                var y = new float[Cols + Rows + 1 + x.Length];
                fixed (float* px = x, py = y)
                {
                    ReduceWalker.Columns(new SumMonoid(), px, py, Rows, Cols, Cols, accumulate: false);
                    ReduceWalker.Rows(new SumMonoid(), px, py + Cols, Rows, Cols, Cols);
                    py[Cols + Rows] = ReduceWalker.All(new SumSquares(), px, x.Length);
                    MapWalker.Forward(new Exp(), px, py + Cols + Rows + 1, x.Length);
                }
                Assert.Equal(expected ??= y, y);
            }
        }
        finally
        {
            CpuPool.Threads = threads;
        }
    }

    [Fact]
    public void Calls_allocate_nothing_after_the_first()
    {
        float[] x = Random(200_000, 8), y = new float[200_000];
        fixed (float* px = x, py = y)
        {
            long before = 0;
            for (int i = 0; i < 20; i++)
            {
                if (i == 10) before = GC.GetAllocatedBytesForCurrentThread();
                MapWalker.Forward(new Silu(), px, py, x.Length);
                ZipWalker.Forward(new Mul(), px, py, py, 200, 1000, 1000, 1, 0, 1);
                ReduceWalker.All(new SumMonoid(), px, x.Length);
                ReduceWalker.Columns(new SumMonoid(), px, py, 200, 1000, 1000, accumulate: true);
            }
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }

    internal static float[] Random(int n, int seed)
    {
        var random = new Random(seed);
        var x = new float[n];
        for (int i = 0; i < n; i++) x[i] = (float)(random.NextDouble() * 6 - 3);
        return x;
    }

    internal static void Near(double expected, double actual, double tolerance) =>
        Assert.True(Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected)), $"{actual:R}, expected {expected:R}");
}

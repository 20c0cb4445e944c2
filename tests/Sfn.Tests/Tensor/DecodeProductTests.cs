using Sfn.Backends;
using Sfn.Backends.Cpu;

namespace Sfn.Tests;

/// <summary>Products of few rows: a row's bits depend neither on the other rows nor on the threads, also where K is cut and where batches alternate.</summary>
[Collection("CpuPool.Threads")]
public sealed class DecodeProductTests
{
    [Theory]
    [InlineData(768, 130)]
    [InlineData(192, 777)]
    [InlineData(1025, 67)]
    [InlineData(3072, 258)]
    [InlineData(5, 9)]
    public void ARowStandsAlone(int k, int n)
    {
        using var scope = Scope.Open();
        Tensor x = Tensor.Randn([16, k], 1), w = Tensor.Randn([n, k], 2);
        foreach (int rows in new[] { 1, 2, 3, 4, 7, 16 })
        {
            float[] all = x.Narrow(0, 0, rows).Linear(w).ToArray();
            for (int row = 0; row < rows; row++)
            {
                float[] one = x.Narrow(0, row, 1).Linear(w).ToArray();
                Assert.Equal(one, all[(row * n)..((row + 1) * n)]);
                for (int j = 0; j < n; j += 13) Assert.Equal(Exact(x, w, row, j, k), one[j], 1e-4 * Math.Sqrt(k));
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(16)]
    public void AlternatingBatchesAreOneProduct(int rows)
    {
        const int Blocks = 3, Runs = 4, N = 26, K = 96;
        using var scope = Scope.Open();
        Tensor x = Tensor.Randn([rows, Blocks * K], 1), w = Tensor.Randn([Blocks, N * Runs, K], 2), z = Tensor.Zeros([rows, Runs, Blocks, N]);
        x.View.TryReshape([rows, Blocks, K], out var split);
        w.View.TryReshape([Blocks, N, Runs, K], out var weights);
        z.Backend.MatMul(split.Transpose(0, 1).Insert(1).Expand([Blocks, Runs, rows, K]), weights.Permute([0, 2, 3, 1]), z.View.Permute([2, 1, 0, 3]), default);
        float[] got = z.ToArray();
        for (int row = 0; row < rows; row++)
            for (int block = 0; block < Blocks; block++)
            {
                float[] straight = x.Narrow(0, row, 1).Narrow(1, block * K, K).Linear(w.Narrow(0, block, 1).Reshape(N * Runs, K)).ToArray();
                for (int run = 0; run < Runs; run++)
                    for (int i = 0; i < N; i++) Assert.Equal(straight[i * Runs + run], got[((row * Runs + run) * Blocks + block) * N + i]);
            }
    }

    [Fact]
    public void ThreadsDoNotMatter()
    {
        using var scope = Scope.Open();
        Tensor x = Tensor.Randn([4, 3072], 1), w = Tensor.Randn([770, 3072], 2);
        int before = CpuPool.Threads;
        try
        {
            CpuPool.Threads = 1;
            float[] one = x.Linear(w).ToArray();
            CpuPool.Threads = 5;
            Assert.Equal(one, x.Linear(w).ToArray());
        }
        finally { CpuPool.Threads = before; }
    }

    private static double Exact(Tensor x, Tensor w, int row, int j, int k)
    {
        float[] a = x.Narrow(0, row, 1).ToArray(), b = w.Narrow(0, j, 1).ToArray();
        return Enumerable.Range(0, k).Sum(i => (double)a[i] * b[i]);
    }
}

using Sfn.Autograd;
using Sfn.Nn;

namespace Sfn.Tests.Nn;

/// <summary>The parametrizations: exact merges, starting values, counts.</summary>
public class LinearTests
{
    private sealed class Root : Module
    {
        public Root(FfnConfig structure, int @in, int @out, ulong seed = 1) => Map = Linears.Create(this, "map", structure, @in, @out, new Init(seed, Device));

        public ILinear Map { get; }
    }

    public static TheoryData<string, int, int> Cases => new()
    {
        { "dense", 12, 20 }, { "lowrank", 12, 20 }, { "lowrank", 20, 12 }, { "blockdense", 12, 20 }, { "blockdense", 20, 12 },
        { "blockshuffle", 12, 20 }, { "blockshuffle", 20, 12 }, { "blockshuffle", 16, 16 }, { "blockshuffle", 16, 48 }, { "blockshuffle", 48, 16 },
    };

    private static FfnConfig Structure(string name) => name switch
    {
        "lowrank" => Ffn.LowRank(4),
        "blockdense" => Ffn.BlockDense(4, 8),
        "blockshuffle" => Ffn.BlockShuffle(4),
        _ => Ffn.Dense(),
    };

    [Theory, MemberData(nameof(Cases))]
    public void ApplyIsTheMergedMatrix(string name, int @in, int @out)
    {
        var map = new Root(Structure(name), @in, @out).Map;
        var x = Tensor.Randn([2, 5, @in], 3);
        var bias = Tensor.Randn([@out], 4);
        var residual = Tensor.Randn([2, 5, @out], 5);
        GoldenModelTests.Close(x.Linear(map.Merge(), bias, residual).ToArray(), map.Apply(x, bias, residual).ToArray(), 1e-5f, name);
        Assert.Equal(map.ParameterCount, map.Factors.Sum(f => f.Count));
    }

    [Theory, MemberData(nameof(Cases))]
    public void GradientsAreThoseOfTheMergedMatrix(string name, int @in, int @out)
    {
        var map = new Root(Structure(name), @in, @out).Map;
        var x = Tensor.Randn([6, @in], 3);
        var g = Tensor.Randn([6, @out], 4);
        using var tape = new Tape();
        var watched = tape.Watch(x);
        tape.Backward(map.Apply(watched), g);
        GoldenModelTests.Close(g.MatMul(map.Merge()).ToArray(), tape.Gradient(watched)!.ToArray(), 1e-4f, name);
    }

    [Fact]
    public void OrthonormalBlocksHaveSingularValuesOne()
    {
        var init = new Init(1, Device.Cpu);
        foreach (var (rows, columns) in new[] { (6, 6), (4, 9), (9, 4), (64, 64) })
        {
            var block = init.OrthonormalBlocks("x", 2, rows, columns)[1];
            var gram = rows <= columns ? block.MatMul(block.Transpose()) : block.Transpose().MatMul(block);
            int n = Math.Min(rows, columns);
            var unit = Tensor.OneHot(Tensor.Arange(n, DType.I32), n);
            Assert.True((gram - unit).Abs().Max().Item() < 1e-5);
        }
    }

    [Fact]
    public void LowRankStartsBalancedWithTheSpectrumOfARandomMatrix()
    {
        const int Rows = 96, Columns = 48, Rank = 12;
        var (up, down) = new Init(1, Device.Cpu).BestLowRank("w", Rows, Columns, Rank);
        // Balanced: the Gram matrices of both factors are the same diagonal matrix.
        var left = up.Transpose().MatMul(up);
        var right = down.MatMul(down.Transpose());
        Assert.True((left - right).Abs().Max().Item() < 1e-6);
        // The Frobenius norm of the best rank-R part of many random matrices, by direct computation with power iterations, agrees on average.
        double drawn = 0, computed = 0;
        for (ulong seed = 0; seed < 20; seed++)
        {
            var (u, d) = new Init(seed, Device.Cpu).BestLowRank("w", Rows, Columns, Rank);
            drawn += u.MatMul(d).Square().Sum().Item();
            computed += BestPart(Tensor.Randn([Rows, Columns], 1000 + seed, 0.02f), Rank);
        }
        Assert.Equal(1, drawn / computed, 0.03);
    }

    // Σ of the largest squared singular values, by orthogonal iteration on WᵀW.
    private static double BestPart(Tensor w, int rank)
    {
        var gram = w.Transpose().MatMul(w);
        var init = new Init(5, Device.Cpu);
        var basis = init.OrthonormalBlocks("b", 1, w.Shape[1], rank)[0];
        for (int i = 0; i < 60; i++)
        {
            float[] next = gram.MatMul(basis).Transpose().ToArray();
            GramSchmidt(next, rank, w.Shape[1]);
            basis = Tensor.From(next, [rank, w.Shape[1]]).Transpose();
        }
        return gram.MatMul(basis).Transpose().MatMul(basis).ToArray().Where((_, i) => i % (rank + 1) == 0).Sum(v => (double)v);
    }

    private static void GramSchmidt(float[] rows, int count, int length)
    {
        for (int i = 0; i < count; i++)
        {
            var v = rows.AsSpan(i * length, length);
            for (int j = 0; j < i; j++)
            {
                var u = rows.AsSpan(j * length, length);
                float dot = System.Numerics.Tensors.TensorPrimitives.Dot<float>(u, v);
                for (int k = 0; k < length; k++) v[k] -= dot * u[k];
            }
            float norm = MathF.Sqrt(System.Numerics.Tensors.TensorPrimitives.SumOfSquares<float>(v));
            for (int k = 0; k < length; k++) v[k] /= norm;
        }
    }

    [Fact]
    public void TheSeedAndTheNameDecideTheStart()
    {
        float[] a = new Root(Ffn.LowRank(4), 12, 20, seed: 1).Map.Merge().ToArray(), b = new Root(Ffn.LowRank(4), 12, 20, seed: 1).Map.Merge().ToArray();
        float[] c = new Root(Ffn.LowRank(4), 12, 20, seed: 2).Map.Merge().ToArray();
        Assert.Equal(a, b);
        Assert.NotEqual(a, c);
    }

    [Theory]
    [InlineData("lowrank", 3, 5, "rank")]
    [InlineData("blockdense", 14, 20, "4")]
    [InlineData("blockshuffle", 14, 20, "4")]
    public void SizesThatDoNotFitAreNamed(string name, int @in, int @out, string expected)
    {
        var error = Assert.Throws<ConfigError>(() => new Root(Structure(name), @in, @out));
        Assert.Contains(expected, error.Message);
    }
}

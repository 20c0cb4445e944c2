namespace Sfn.Tests.Ops;

/// <summary>Every length around vector widths, and lengths that many threads share: no element is left out or done twice.</summary>
public class SizeTests : LeakCheck
{
    private static readonly int[] s_sizes = [.. Enumerable.Range(0, 71), 127, 128, 129, 1000, 100003];

    private static Arg X(params int[] shape) => new(shape);

    [Fact]
    public void Map() => Each(n => new("map", [X(n)], x => x[0].Gelu()));

    [Fact]
    public void Map_from_an_odd_offset() => Each(n => new("map of a slice", [X(n + 1)], x => x[0][1..].Tanh()));

    [Fact]
    public void Zip() => Each(n => new("zip", [X(n), X(n)], x => x[0] * x[1]));

    [Fact]
    public void Zip_with_a_scalar() => Each(n => new("zip with a scalar", [X(n), X()], x => x[0] / (x[1] + 3.0)));

    [Fact]
    public void Zip_of_rows() => Each(n => new("zip of rows", [X(3, n), X(n)], x => x[0] - x[1]), 1000);

    [Fact]
    public void Zip_of_columns() => Each(n => new("zip of columns", [X(n, 3), X(n, 1)], x => x[0].Maximum(x[1])), 1000);

    [Fact]
    public void Compare() => Each(n => new("compare", [X(n), X(n)], x => x[0].Less(x[1])) { Differentiable = false });

    [Fact]
    public void Where() => Each(n => new("where", [new Arg([n], 0, 2) { Type = DType.Bool }, X(n), X(n)], x => Tensor.Where(x[0], x[1], x[2])));

    [Fact]
    public void Copy_of_a_transpose() => Each(n => new("transposed copy", [X(n, 5)], x => x[0].Transpose().Contiguous()), 1000);

    [Fact]
    public void Casts() => Each(n => new("casts", [X(n)], x => x[0].To(DType.F64).To(x[0].DType)));

    [Fact]
    public void Sum() => Each(n => new("sum", [new([n], 0.5, 1)], x => x[0].Sum()));

    [Fact]
    public void Norm() => Each(n => new("norm", [new([Math.Max(1, n)], 0.5, 1)], x => x[0].Norm()));

    [Fact]
    public void Max() => Each(n => new("max", [X(Math.Max(1, n))], x => x[0].Max()));

    [Fact]
    public void ArgMax() => Each(n => new("argmax", [X(3, Math.Max(1, n))], x => x[0].ArgMax()) { Differentiable = false }, 1000);

    [Fact]
    public void Sum_of_rows() => Each(n => new("sum of rows", [new([4, n], 0.5, 1)], x => x[0].Sum(1)), 1000);

    [Fact]
    public void Sum_of_columns() => Each(n => new("sum of columns", [new([n, 4], 0.5, 1)], x => x[0].Sum(0)), 1000);

    [Fact]
    public void Sum_of_columns_of_wide_rows() => Each(n => new("sum of columns", [new([5, n], 0.5, 1)], x => x[0].Sum(0)), 1000);

    [Fact]
    public void Softmax() => Each(n => new("softmax", [X(4, n)], x => x[0].Softmax()), 1000);

    [Fact]
    public void LogSoftmax() => Each(n => new("log_softmax", [X(4, n)], x => x[0].LogSoftmax()), 1000);

    [Fact]
    public void LayerNorm() => Each(n => new("layernorm", [X(4, n + 3), X(n + 3), X(n + 3)], x => x[0].LayerNorm(x[1], x[2])), 1000);

    [Fact]
    public void RmsNorm() => Each(n => new("rmsnorm", [X(4, n + 3), X(n + 3)], x => x[0].RmsNorm(x[1])), 1000);

    [Fact]
    public void CrossEntropy() => Each(n => new("cross_entropy", [X(4, n + 1), new([4]) { Type = DType.I32, Values = [0, n, n / 2, -100] }],
        x => x[0].CrossEntropy(x[1])), 1000);

    [Fact]
    public void Many_rows_of_softmax_and_norm()
    {
        foreach (int rows in new[] { 1, 2, 3, 255, 256, 257, 3001 })
        {
            Check(new("softmax", [X(rows, 9)], x => x[0].Softmax()));
            Check(new("layernorm", [X(rows, 9), X(9), X(9)], x => x[0].LayerNorm(x[1], x[2])) { GradientTolerance = 1e-5 });
        }
    }

    [Fact]
    public void Two_runs_are_bit_equal()
    {
        using var scope = Scope.Open();
        var x = Tensor.Randn([100003], 3);
        Func<Tensor, Tensor>[] ops = [t => t.Sum(), t => t.Norm(), t => t.LogSumExp(), t => t.Softmax(), t => t[..100000].Reshape(1000, 100).Sum(0)];
        foreach (var f in ops)
            Assert.Equal(f(x).ToArray(), f(x).ToArray());
    }

    [Fact]
    public void The_number_of_threads_does_not_change_a_bit()
    {
        Arg ids = new([600], 0, 50) { Type = DType.I32 };
        OpCase[] cases =
        [
            new("map", [X(100003)], x => x[0].Gelu()),
            new("zip", [X(300, 401), X(401)], x => x[0] * x[1]),
            new("sum", [X(100003)], x => x[0].Sum()),
            new("sum of columns", [X(1001, 130)], x => x[0].Sum(0)),
            new("sum of rows", [X(130, 1001)], x => x[0].Sum(1)),
            new("norm", [X(100003)], x => x[0].Norm()),
            new("matmul", [X(150, 333), X(333, 170)], x => x[0].MatMul(x[1])),
            new("matmul long inner", [X(20, 5000), X(5000, 30)], x => x[0].MatMul(x[1])),
            new("batched matmul", [X(12, 40, 50), X(12, 50, 40)], x => x[0].MatMul(x[1])),
            new("linear", [X(600, 96), X(128, 96), X(128), X(600, 128)], x => x[0].Linear(x[1], x[2], x[3])),
            new("block_linear", [X(600, 96), X(4, 32, 24)], x => x[0].BlockLinear(x[1])),
            new("shuffle_linear", [X(600, 96), X(4, 24, 24), X(4, 32, 24)], x => x[0].ShuffleLinear(x[1], x[2])),
            new("softmax", [X(600, 97)], x => x[0].Softmax()),
            new("layernorm", [X(600, 97), X(97), X(97)], x => x[0].LayerNorm(x[1], x[2])),
            new("rmsnorm", [X(600, 97), X(97)], x => x[0].RmsNorm(x[1])),
            new("cross_entropy", [X(600, 50), ids], x => x[0].CrossEntropy(x[1])),
            new("linear_cross_entropy", [X(600, 32), X(50, 32), ids], x => x[0].LinearCrossEntropy(x[1], x[2])),
            new("gather", [X(50, 64), ids], x => x[0].Gather(x[1])),
            new("scatter_add", [X(50, 64), ids, X(600, 64)], x => x[0].ScatterAdd(x[1], x[2])),
            new("attention", [X(2, 150, 4, 16), X(2, 150, 2, 16), X(2, 150, 2, 16)], x => Tensor.Attention(x[0], x[1], x[2])),
            new("rope", [X(2, 150, 4, 16), X(150, 8) with { Gradient = false }, X(150, 8) with { Gradient = false }], x => x[0].Rope(x[1], x[2])),
        ];
        int before = Backends.Cpu.CpuPool.Threads;
        try
        {
            foreach (var c in cases)
            {
                OpResult? first = null;
                foreach (int threads in new[] { 1, 2, 3, 5 })
                {
                    Backends.Cpu.CpuPool.Threads = threads;
                    var result = OpRun.Run(c, OpRun.Inputs(c), DType.F32, Device.Cpu, true);
                    first ??= result;
                    Assert.True(result.Y.AsSpan().SequenceEqual(first.Y), $"{c.Name}: the result with {threads} threads differs");
                    for (int i = 0; i < c.Args.Length; i++)
                        Assert.True(result.Gradients[i].AsSpan().SequenceEqual(first.Gradients[i]), $"{c.Name}: gradient {i} with {threads} threads differs");
                }
            }
        }
        finally
        {
            Backends.Cpu.CpuPool.Threads = before;
        }
    }

    private static void Each(Func<int, OpCase> make, int largest = int.MaxValue)
    {
        foreach (int n in s_sizes) if (n <= largest) Check(make(n));
    }

    private static void Check(OpCase c)
    {
        var inputs = OpRun.Inputs(c);
        var expected = OpRun.Run(c, inputs, DType.F64, Device.Reference, true);
        foreach (var device in OpRun.Devices)
        {
            string size = $"{c.Name} {Shape.Create(c.Args[0].Shape)} on {device} ";
            var actual = OpRun.Run(c, inputs, DType.F32, device, true);
            Assert.Equal(expected.Shape, actual.Shape);
            OpRun.Near(actual.Y, expected.Y, 5e-6, size + "result");
            for (int i = 0; i < inputs.Length; i++)
                if (expected.Gradients[i] is { } g) OpRun.Near(actual.Gradients[i]!, g, Math.Max(1e-5, c.GradientTolerance), $"{size}gradient {i}", floor: 1e-3);
        }
    }
}

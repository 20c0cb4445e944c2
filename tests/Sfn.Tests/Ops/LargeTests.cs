using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests.Ops;

/// <summary>
/// Shapes at which GPU kernels change their plan: rows around the number of columns that a group's threads hold, reductions cut into pieces, many
/// additions to one row. The same cases hold on every device.
/// </summary>
public class LargeTests : LeakCheck
{
    private static readonly int[] s_columns = [31, 32, 33, 127, 128, 129, 1023, 1024, 1025, 4095, 4096, 4097, 8191, 8192, 8193, 12000];

    private static Arg X(params int[] shape) => new(shape);

    private static Arg Positive(params int[] shape) => new(shape, 0.5, 1);

    [Fact]
    public void Rows_of_every_group_shape()
    {
        foreach (int n in s_columns)
        {
            Check(new("softmax", [X(3, n)], x => x[0].Softmax()));
            Check(new("log_softmax", [X(3, n)], x => x[0].LogSoftmax()));
            Check(new("layernorm", [X(3, n), X(n), X(n)], x => x[0].LayerNorm(x[1], x[2])));
            Check(new("rmsnorm", [X(3, n), X(n)], x => x[0].RmsNorm(x[1])));
        }
    }

    [Fact]
    public void Rows_in_bfloat16_with_weights_in_float32()
    {
        foreach (int n in new[] { 30, 32, 100, 768, 1000, 4096, 8192, 8196 })
        {
            Check(new("softmax", [X(3, n)], x => x[0].Softmax()), DType.BF16);
            Check(new("layernorm", [X(3, n), X(n) with { Wide = true }, X(n) with { Wide = true }], x => x[0].LayerNorm(x[1], x[2])), DType.BF16);
        }
    }

    [Fact]
    public void Cross_entropy_of_every_group_shape()
    {
        foreach (int n in new[] { 2, 65, 1023, 1024, 1025, 8191, 8192, 8193, 20004 })
        {
            Arg targets = new([5]) { Type = DType.I32, Values = [0, n - 1, n / 2, -100, 1] };
            Check(new("cross_entropy", [X(5, n), targets], x => x[0].CrossEntropy(x[1])));
        }
    }

    [Fact]
    public void Cross_entropy_with_classes_that_cannot_occur()
    {
        foreach (int n in new[] { 70, 2000 })
        {
            var logits = new double[2 * n];
            for (int i = 0; i < logits.Length; i++) logits[i] = i % 3 == 0 && i != n ? double.NegativeInfinity : i % 7 - 1000;
            Arg targets = new([2]) { Type = DType.I32, Values = [1, 0] };
            Check(new("cross_entropy of -inf", [X(2, n) with { Values = logits }, targets], x => x[0].CrossEntropy(x[1])));
        }
    }

    [Fact]
    public void Reductions_in_two_stages()
    {
        Check(new("sum of all", [Positive(1_000_003)], x => x[0].Sum()));
        Check(new("sum of all, quads", [Positive(400_000)], x => x[0].Sum()));
        Check(new("sum of few rows", [Positive(3, 40_001)], x => x[0].Sum(1)));
        Check(new("max of few rows", [X(2, 30_000)], x => x[0].Max(1)) { Differentiable = false });
        Check(new("norm", [X(100_000)], x => x[0].Norm()));
        Check(new("sum of columns", [Positive(5000, 130)], x => x[0].Sum(0)));
        Check(new("sum of columns, quads", [Positive(4097, 132)], x => x[0].Sum(0)));
        Check(new("max of columns", [X(2000, 40)], x => x[0].Max(0)) { Differentiable = false });
        Check(new("sum of the middle", [Positive(3, 700, 20)], x => x[0].Sum([1])));
        Check(new("sum of all but the middle", [Positive(60, 20, 70)], x => x[0].Sum([0, 2])));
        Check(new("sum of a transpose", [Positive(300, 200)], x => x[0].Transpose().Sum()));
        Check(new("sum of a window", [Positive(300, 203)], x => x[0][.., 1..202].Sum()));
        Check(new("sum of rows of a window", [Positive(4, 9000)], x => x[0][.., 1..8998].Sum(1)));
        Check(new("sum of spread rows", [Positive(9000, 2)], x => x[0][.., ..1].Sum()));
        Check(new("argmax", [X(3, 5000)], x => x[0].ArgMax()) { Differentiable = false });
    }

    [Fact]
    public void Whole_numbers_are_summed_exactly()
    {
        foreach (var device in OpRun.Devices)
        {
            using var scope = Scope.Open();
            const int N = 300_000;
            var x = Tensor.Arange(N, DType.I32, device);
            Assert.Equal(new[] { N - 1 }, x.Max().ToArray<int>());
            Assert.Equal(40_000 * 39_999L / 2, x[..40_000].Sum().ToArray<int>()[0]);
        }
    }

    [Fact]
    public void The_first_of_equals_is_the_largest()
    {
        foreach (var device in OpRun.Devices)
        {
            using var scope = Scope.Open();
            foreach (int n in new[] { 100, 1000, 5000 })
            {
                var rows = new float[4 * n];
                rows.AsSpan(0, n).Fill(float.NegativeInfinity);
                (rows[n + n - 1], rows[n + n / 2], rows[n + n / 2 + 1]) = (3, 3, 3);
                (rows[2 * n + 7], rows[2 * n + n - 2], rows[2 * n + 3]) = (float.NaN, float.NaN, float.PositiveInfinity);
                rows[3 * n + n - 1] = 1;
                Assert.Equal([0, n / 2, 7, n - 1], Tensor.From(rows, [4, n], device).ArgMax().ToArray<int>());
            }
        }
    }

    [Fact]
    public void Scatter_add_adds_in_the_order_of_the_positions()
    {
        foreach (var device in OpRun.Devices)
        {
            foreach (var (positions, table, width) in new[] { (3, 5, 8), (16, 5, 8), (17, 5, 8), (3000, 1000, 12), (3000, 1000, 7), (2000, 3, 4), (700, 1, 1) })
            {
                using var scope = Scope.Open();
                // Few ids are frequent, as words are; sizes differ by powers of ten, so that another order gives other bits.
                int[] ids = [.. Enumerable.Range(0, positions).Select(i => (int)(table * Math.Pow(Philox.Unit(Philox.At(5, (ulong)i)), 4)))];
                float[] updates = [.. Enumerable.Range(0, positions * width).Select(i => Size(i) * (Philox.Unit(Philox.At(6, (ulong)i)) - 0.5f))];
                float[] start = [.. Enumerable.Range(0, table * width).Select(i => (float)Math.Sin(i))], expected = [.. start];
                for (int i = 0; i < positions; i++)
                    for (int c = 0; c < width; c++) expected[ids[i] * width + c] += updates[i * width + c];
                var y = Tensor.From(start, [table, width], device).ScatterAdd(Tensor.From(ids, [positions], device), Tensor.From(updates, [positions, width], device));
                Assert.Equal(expected, y.ToArray());
            }
        }

        static float Size(int i) => i % 4 switch { 0 => 1, 1 => 1000, 2 => 1e-3f, _ => 30 };
    }

    [Fact]
    public void Gather_moves_the_bits_of_every_type_and_width()
    {
        foreach (var device in OpRun.Devices)
        {
            foreach (var type in new[] { DType.F32, DType.BF16, DType.U8, DType.F64, DType.I32 })
            {
                foreach (int width in new[] { 1, 3, 4, 8, 16, 33 })
                {
                    using var scope = Scope.Open();
                    var table = Tensor.Arange(20 * width, DType.I32, device).To(DType.U8).To(type).Reshape(20, width);
                    int[] ids = [19, 0, 7, 7, 3];
                    double[] expected = [.. ids.SelectMany(id => Enumerable.Range(id * width, width)).Select(v => (double)Math.Min(v, 255))];
                    Assert.Equal(expected, table.Gather(Tensor.From(ids, [5], device)).To(DType.F64).ToArray<double>());
                }
            }
        }
    }

    [Fact]
    public void Two_runs_are_bit_equal()
    {
        Arg ids = new([600], 0, 50) { Type = DType.I32 };
        OpCase[] cases =
        [
            new("sum", [X(100_003)], x => x[0].Sum()),
            new("sum of columns", [X(3001, 130)], x => x[0].Sum(0)),
            new("norm", [X(100_003)], x => x[0].Norm()),
            new("softmax", [X(60, 1097)], x => x[0].Softmax()),
            new("layernorm", [X(600, 97), X(97), X(97)], x => x[0].LayerNorm(x[1], x[2])),
            new("cross_entropy", [X(600, 50), ids], x => x[0].CrossEntropy(x[1])),
            new("gather", [X(50, 64), ids], x => x[0].Gather(x[1])),
            new("scatter_add", [X(50, 64), ids, X(600, 64)], x => x[0].ScatterAdd(x[1], x[2])),
        ];
        foreach (var device in OpRun.Devices)
        {
            foreach (var c in cases)
            {
                OpResult a = OpRun.Run(c, OpRun.Inputs(c), DType.F32, device, true), b = OpRun.Run(c, OpRun.Inputs(c), DType.F32, device, true);
                Assert.True(a.Y.AsSpan().SequenceEqual(b.Y), $"{c.Name}: the results differ");
                for (int i = 0; i < c.Args.Length; i++)
                    Assert.True(a.Gradients[i].AsSpan().SequenceEqual(b.Gradients[i]), $"{c.Name}: gradient {i} differs");
            }
        }
    }

    private static void Check(OpCase c, DType type = DType.F32)
    {
        bool brief = type == DType.BF16;
        var inputs = OpRun.Inputs(c, brief);
        var expected = OpRun.Run(c, inputs, DType.F64, Device.Reference, true);
        foreach (var device in OpRun.Devices)
        {
            string what = $"{c.Name} {Shape.Create(c.Args[0].Shape)} on {device} ";
            var actual = OpRun.Run(c, inputs, type, device, true);
            Assert.Equal(expected.Shape, actual.Shape);
            OpRun.Near(actual.Y, expected.Y, brief ? 2e-2 : 5e-6, what + "result");
            for (int i = 0; i < inputs.Length; i++)
                if (expected.Gradients[i] is { } g) OpRun.Near(actual.Gradients[i]!, g, brief ? 2e-2 : 1e-5, $"{what}gradient {i}", floor: 1e-3);
        }
    }
}

using Sfn.Backends;
using Sfn.Backends.Ilgpu;
using Sfn.Backends.Ilgpu.Kernels;
using Sfn.Tests.Ops;

namespace Sfn.Tests.Gpu;

/// <summary>
/// The product's kernels, each by name, against float64: sizes around the edges of tiles, every way operands lie in memory, epilogues, parts of k.
/// Memory around the operands is NaN, and what surrounds c must not change. On the CPU the same products run by its own kernels.
/// </summary>
public class MatMulKernelTests : LeakCheck
{
    /// <summary>How a matrix lies in memory.</summary>
    public enum Order
    {
        /// <summary>Columns side by side.</summary>
        Rows,
        /// <summary>Rows side by side.</summary>
        Columns,
        /// <summary>Columns three elements apart.</summary>
        Strided,
        /// <summary>Columns as far apart as there are batches, which lie side by side: what a block shuffle writes.</summary>
        Interleaved,
    }

    private sealed record Product(int M, int N, int K)
    {
        public Order A { get; init; }
        public Order B { get; init; }
        public Order C { get; init; }
        public int[] Batch { get; init; } = [];
        /// <summary>Operand that is the same for the whole first batch dimension: 1 is a, 2 is b.</summary>
        public int Shared { get; init; }
        /// <summary>First element in the storage, for a, b, c and residual.</summary>
        public int Offset { get; init; }
        public DType TypeA { get; init; }
        public DType TypeB { get; init; }
        public DType TypeC { get; init; }
        public bool Accumulate { get; init; }
        public Order? Residual { get; init; }
        /// <summary>0 for none, 1 for a vector, 2 for one vector per batch.</summary>
        public int Bias { get; init; }
        public Activation Activation { get; init; }
    }

    private static readonly Order[] s_operands = [Order.Rows, Order.Columns, Order.Strided];

    public static TheoryData<string> Tiles => ["Tile32", "Tile64", "Tile128"];

    [Theory, MemberData(nameof(Tiles))]
    public void Sizes_around_the_edges_of_tiles(string kernel)
    {
        var plan = new MatMulPlan(Enum.Parse<MatMulKernel>(kernel), 1);
        int size = plan.Rows;
        foreach (int m in new[] { 1, size - 1, size, size + 1, 2 * size + 4 })
            foreach (int k in size == 128 ? new[] { 1, 9, 16 } : [1, 7, 8, 16, 17, 36])
                foreach (var order in new[] { Order.Rows, Order.Columns })
                {
                    int n = m == size ? size + 4 : m == 1 ? 2 * size + 1 : size;
                    Check(new(m, n, k) { A = order, B = order }, plan);
                }
    }

    [Fact]
    public void Every_tile_of_a_long_column_is_visited()
    {
        Check(new(18 * 32 - 5, 70, 9), new(MatMulKernel.Tile32, 1));
        Check(new(70, 18 * 32 - 5, 9) { Batch = [3] }, new(MatMulKernel.Tile32, 1));
    }

    [Fact]
    public void Operands_in_every_order_and_off_alignment()
    {
        foreach (var kernel in new[] { MatMulKernel.Tile32, MatMulKernel.Tile64 })
            foreach (var a in s_operands)
                foreach (var b in s_operands)
                    foreach (int offset in new[] { 0, 3, 4 })
                    {
                        Check(new(36, 40, 20) { A = a, B = b, Offset = offset }, new(kernel, 1));
                        if (offset == 0) Check(new(37, 39, 21) { A = a, B = b }, new(kernel, 1));
                    }
    }

    [Fact]
    public void Few_rows_and_few_columns()
    {
        foreach (int m in new[] { 1, 2, 4, 5, 8, 9 })
            foreach (int n in new[] { 1, 31, 68 })
                foreach (int k in new[] { 32, 259, 300 })
                    foreach (var b in s_operands)
                        Check(new(m, n, k) { A = b == Order.Strided ? Order.Columns : Order.Rows, B = b }, null);
        foreach (var order in s_operands)
        {
            Check(new(67, 3, 64) { A = order, Bias = 1, Activation = Activation.Gelu }, null);
            Check(new(67, 6, 65) { A = order, C = Order.Columns, Residual = Order.Rows, Accumulate = true }, null);
        }
        foreach (var kernel in new[] { MatMulKernel.Rows1, MatMulKernel.Rows4, MatMulKernel.Rows8 })
            foreach (var b in s_operands)
                Check(new(7, 33, 40) { B = b, Batch = [2, 3], Bias = 2, Offset = 4 }, new(kernel, 2));
    }

    [Fact]
    public void Batches_shared_operands_and_results_in_every_order()
    {
        foreach (var c in Enum.GetValues<Order>())
            foreach (int[] batch in new int[][] { [3], [2, 3], [1, 4] })
                for (int shared = 0; shared < 3; shared++)
                {
                    Check(new(33, 20, 12) { C = c, Batch = batch, Shared = shared }, new(MatMulKernel.Tile32, 1));
                    Check(new(68, 36, 24) { A = Order.Columns, C = c, Batch = batch, Shared = shared, Residual = c, Bias = 2 }, new(MatMulKernel.Tile64, 1));
                }
        Check(new(40, 36, 24) { A = Order.Interleaved, B = Order.Interleaved, C = Order.Interleaved, Batch = [4] }, new(MatMulKernel.Tile64, 1));
    }

    public static TheoryData<bool, int, bool, Activation> Epilogues
    {
        get
        {
            var data = new TheoryData<bool, int, bool, Activation>();
            foreach (bool accumulate in new[] { false, true })
                for (int bias = 0; bias < 3; bias++)
                    foreach (bool residual in new[] { false, true })
                        foreach (var activation in Enum.GetValues<Activation>()) data.Add(accumulate, bias, residual, activation);
            return data;
        }
    }

    [Theory, MemberData(nameof(Epilogues))]
    public void Epilogues_of_every_kernel(bool accumulate, int bias, bool residual, Activation activation)
    {
        Product With(Product p) => p with { Accumulate = accumulate, Bias = bias, Residual = residual ? p.C : null, Activation = activation };
        foreach (var c in new[] { Order.Rows, Order.Columns, Order.Strided })
        {
            Check(With(new(33, 36, 20) { C = c, Batch = [2] }), new(MatMulKernel.Tile32, 1));
            Check(With(new(33, 36, 40) { C = c, Batch = [2] }), new(MatMulKernel.Tile64, 2));
            Check(With(new(5, 36, 40) { C = c, Batch = [2] }), null);
        }
        Check(With(new(36, 36, 20) { Batch = [2] }) with { Residual = residual ? Order.Columns : null }, new(MatMulKernel.Tile32, 1));
    }

    [Fact]
    public void Parts_of_k_add_up()
    {
        foreach (int splits in new[] { 2, 3, 5 })
            foreach (int k in new[] { 5, 16, 17, 100, 161 })
            {
                Check(new(33, 35, k) { Batch = [2], Bias = 1, Activation = Activation.Silu }, new(MatMulKernel.Tile32, splits));
                Check(new(36, 40, k) { A = Order.Columns, C = Order.Columns, Accumulate = true }, new(MatMulKernel.Tile64, splits));
                Check(new(3, 40, k) { C = Order.Interleaved, Batch = [2], Residual = Order.Rows }, new(MatMulKernel.Rows4, splits));
            }
        Check(new(40, 40, 1500) { A = Order.Columns }, null);
        Check(new(1, 8, 9000) { B = Order.Columns }, null);
        Check(new(2, 9, 5000), null);
    }

    [Fact]
    public void Bfloat16_operands_and_results()
    {
        (DType, DType, DType)[] types =
        [
            (DType.BF16, DType.BF16, DType.BF16), (DType.BF16, DType.BF16, DType.F32), (DType.F32, DType.BF16, DType.F32),
            (DType.BF16, DType.F32, DType.F32), (DType.F32, DType.BF16, DType.BF16),
        ];
        foreach (var (a, b, c) in types)
            foreach (var order in s_operands)
            {
                var product = new Product(36, 40, 44) { TypeA = a, TypeB = b, TypeC = c, A = order, B = order, Bias = 1, Residual = Order.Rows };
                Check(product, new(MatMulKernel.Tile32, 1));
                Check(product with { C = Order.Columns, Accumulate = true }, new(MatMulKernel.Tile64, 2));
                Check(product with { M = 3, Offset = 1 }, null);
                Check(product with { M = 8, N = 33 }, null);
            }
        Check(new(130, 132, 40) { TypeA = DType.BF16, TypeB = DType.BF16, TypeC = DType.BF16, B = Order.Columns }, new(MatMulKernel.Tile128, 1));
    }

    [Fact]
    public void Without_steps_the_epilogue_of_zero_remains()
    {
        Check(new(5, 40, 0) { Bias = 1, Activation = Activation.Gelu }, null);
        Check(new(40, 36, 0) { Accumulate = true, Residual = Order.Rows, Batch = [2] }, null);
        Check(new(40, 36, 0), new(MatMulKernel.Tile64, 3));
    }

    [Fact]
    public void More_batches_than_a_dimension_of_the_launch_may_have()
    {
        Check(new(1, 3, 2) { Batch = [70_000] }, null);
        Check(new(2, 1, 2) { Batch = [2, 35_000], Shared = 2 }, null);
    }

    [Fact]
    public void The_plan_follows_from_the_sizes()
    {
        Assert.Equal(new(MatMulKernel.Tile128, 1), MatMulPlan.Choose(4096, 4096, 4096, 1, 4));
        Assert.Equal(MatMulKernel.Tile128, MatMulPlan.Choose(16384, 768, 768, 1, 4).Kernel);
        Assert.True(MatMulPlan.Choose(768, 768, 30_720, 1, 4) is { Kernel: MatMulKernel.Tile128, Splits: > 1 });
        Assert.Equal(new(MatMulKernel.Rows1, 1), MatMulPlan.Choose(1, 3072, 768, 1, 4));
        Assert.Equal(MatMulKernel.Rows8, MatMulPlan.Choose(8, 768, 768, 1, 4).Kernel);
        Assert.Equal(MatMulKernel.Tile32, MatMulPlan.Choose(8, 768, 8, 1, 4).Kernel);
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            int m = 1 << random.Next(14), n = m + random.Next(1000), k = random.Next(100_000);
            long batches = random.Next(1, 100);
            var plan = MatMulPlan.Choose(m, n, k, batches, random.Next(2) == 0 ? 4 : 32);
            Assert.InRange(plan.Splits, 1, 64);
            Assert.Equal(0, plan.Part(k) % 16);
            Assert.True((long)plan.Part(k) * plan.Splits >= k);
            Assert.True(plan.Splits == 1 || 4 * plan.Splits * batches * m * n <= 64 << 20, $"{m}, {n}, {k}, {batches}: {plan}");
        }
    }

    private static void Check(Product product, MatMulPlan? plan)
    {
        using var scope = Scope.Open();
        double[] expected = Run(product, null, Device.Reference);
        foreach (var device in OpRun.Devices)
        {
            double[] found = Run(product, plan, device);
            OpRun.Near(found, expected, product.TypeC == DType.BF16 ? 5e-3 : 5e-6, $"{device}, {plan}, {product}");
            if (!found.AsSpan().SequenceEqual(Run(product, plan, device))) Assert.Fail($"{device}, {plan}, {product}: two runs differ.");
        }
    }

    // The whole storage of c afterwards.
    private static double[] Run(Product p, MatMulPlan? plan, Device device)
    {
        using var scope = Scope.Open();
        bool wide = device == Device.Reference;
        DType Type(DType type) => wide ? DType.F64 : type;
        var a = Lay(p, p.M, p.K, p.A, p.Shared == 1, p.TypeA, Type(p.TypeA), 1, double.NaN, device);
        var b = Lay(p, p.K, p.N, p.B, p.Shared == 2, p.TypeB, Type(p.TypeB), 2, double.NaN, device);
        var c = Lay(p, p.M, p.N, p.C, false, p.TypeC, Type(p.TypeC), 3, 0.5, device);
        View? residual = p.Residual is { } order ? Lay(p, p.M, p.N, order, false, p.TypeC, Type(p.TypeC), 4, double.NaN, device).View : null;
        View? bias = p.Bias == 0 ? null
            : Lay(p with { Offset = 0, Batch = p.Bias == 1 ? [] : p.Batch }, 1, p.N, Order.Rows, false, DType.F32, Type(DType.F32), 5, double.NaN, device).View;
        if (p.Bias == 1) bias = bias!.Value.Select(0, 0);
        var spec = new MatMulSpec { Accumulate = p.Accumulate, Bias = bias, Residual = residual, Activation = p.Activation };
        if (c.Backing.Backend is IlgpuBackend gpu && plan is not null) gpu.MatMul(a.View, b.View, c.View, spec, plan);
        else c.Backing.Backend.MatMul(a.View, b.View, c.View, spec);
        return OpRun.Wide(c.Backing);
    }

    // A matrix, or a batch of them, in a storage that is otherwise full of one value.
    private static (Tensor Backing, View View) Lay(Product p, int rows, int columns, Order order, bool shared, DType values, DType type, int seed,
        double around, Device device)
    {
        int[] shape = [.. p.Batch, rows, columns];
        int rank = shape.Length, inner = order == Order.Interleaved && rank > 2 ? p.Batch[^1] : 1;
        Strides strides = default;
        (strides[rank - 2], strides[rank - 1]) = order switch
        {
            Order.Columns => (1, rows),
            Order.Strided => (3 * columns, 3),
            _ => (inner * columns, inner),
        };
        long step = (long)rows * columns * (order == Order.Strided ? 3 : 1);
        for (int i = rank - 3; i >= 0; i--)
        {
            if (inner > 1 && i == rank - 3)
            {
                strides[i] = 1;
                step *= inner;
                continue;
            }
            strides[i] = shared && i == 0 ? 0 : step;
            step *= shape[i];
        }
        double[] flat = new double[p.Offset + step + 5];
        flat.AsSpan().Fill(around);
        long count = shape.Aggregate(1L, (x, y) => x * y);
        for (long i = 0; i < count; i++)
        {
            long at = p.Offset, rest = i;
            for (int d = rank - 1; d >= 0; d--)
            {
                at += rest % shape[d] * strides[d];
                rest /= shape[d];
            }
            float x = (float)(2 * Philox.Unit(Philox.At((ulong)seed, (ulong)i)) - 1);
            flat[at] = values == DType.BF16 ? (float)(BFloat16)x : x;
        }
        var backing = Tensor.From(flat, [flat.Length], Device.Cpu).To(type).To(device);
        return (backing, new View(backing.View.Storage, type, Shape.Create(shape), strides, p.Offset));
    }
}

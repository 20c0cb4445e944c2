using System.Runtime.InteropServices;
using Sfn.Backends;
using Sfn.Backends.Cpu;

namespace Sfn.Tests.Kernels;

/// <summary>The CPU matrix product against a naive double loop: strides, batches, interleaving, epilogues, bit-equality.</summary>
public unsafe class GemmTests
{
    /// <summary>Memory order of an operand; interleaved means element stride l and batch stride 1 for l batches.</summary>
    public enum Order
    {
        Rows,
        Columns,
        Strided,
        InterleavedRows,
        InterleavedColumns,
    }

    private readonly record struct Case(int M, int N, int K)
    {
        public Order A { get; init; }
        public Order B { get; init; }
        public Order C { get; init; }
        public int Batch0 { get; init; } = 1;
        public int Batch1 { get; init; } = 1;
        public bool ShareB0 { get; init; }
        public bool ShareB1 { get; init; }
        public bool Accumulate { get; init; }
        public float Alpha { get; init; } = 1;
        public bool Bias { get; init; }
        public bool InterleavedBias { get; init; }
        public bool Residual { get; init; }
        public Activation Activation { get; init; }
    }

    public static TheoryData<Order, Order> Layouts
    {
        get
        {
            var data = new TheoryData<Order, Order>();
            foreach (var a in new[] { Order.Rows, Order.Columns, Order.Strided })
                foreach (var b in new[] { Order.Rows, Order.Columns, Order.Strided })
                    data.Add(a, b);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Every_layout_and_ragged_size(Order a, Order b)
    {
        int[] ms = [1, 3, 8, 13, 40], ns = [1, 16, 47, 100], ks = [1, 9, 33];
        foreach (int m in ms)
            foreach (int n in ns)
                foreach (int k in ks)
                    Check(new Case(m, n, k) { A = a, B = b, Accumulate = (m + n) % 2 == 0, Alpha = k == 9 ? 0.4f : 1 });
    }

    [Theory]
    [InlineData(Order.Rows)]
    [InlineData(Order.Columns)]
    [InlineData(Order.Strided)]
    public void Result_in_any_order(Order c)
    {
        Check(new Case(19, 50, 21) { C = c });
        Check(new Case(19, 50, 21) { C = c, Accumulate = true, Bias = true, Activation = Activation.Silu });
        Check(new Case(5, 50, 700) { B = Order.Columns, C = c, Accumulate = true });
        Check(new Case(30, 52, 800) { A = Order.Columns, C = c, Batch0 = 2, Batch1 = 2 });
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Batches_share_operands(bool share0, bool share1)
    {
        foreach (int m in new[] { 4, 33 })
        {
            Check(new Case(m, 40, 17) { Batch0 = 3, Batch1 = 2, ShareB0 = share0, ShareB1 = share1, Bias = true });
            Check(new Case(m, 49, 90) { B = Order.Columns, Batch0 = 2, Batch1 = 3, ShareB0 = share0, ShareB1 = share1, Accumulate = true });
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(8)]
    public void Interleaved_blocks(int blocks)
    {
        foreach (int m in new[] { 2, 21 })
        {
            foreach (var order in new[] { Order.Rows, Order.Columns })
            {
                var plain = new Case(m, 53, 35) { B = order, Batch1 = blocks };
                Check(plain with { C = Order.InterleavedRows });
                Check(plain with { C = Order.InterleavedRows, K = 400, Accumulate = true, Residual = true });
                Check(plain with { C = Order.InterleavedRows, Bias = true, InterleavedBias = true, Residual = true, Activation = Activation.Gelu });
                Check(plain with { C = Order.InterleavedRows, Batch0 = 2, Bias = true, A = Order.Columns });
                Check(plain with { A = Order.InterleavedRows, Bias = true });
                Check(plain with { A = Order.InterleavedColumns, Accumulate = true });
                Check(plain with { B = Order.InterleavedRows, A = order });
                Check(plain with { B = Order.InterleavedColumns, A = order });
            }
        }
    }

    [Theory]
    [InlineData(nameof(Activation.None))]
    [InlineData(nameof(Activation.Gelu))]
    [InlineData(nameof(Activation.Silu))]
    [InlineData(nameof(Activation.Relu))]
    public void Epilogue(string name)
    {
        var activation = Enum.Parse<Activation>(name);
        foreach (int m in new[] { 3, 20 })
            foreach (bool bias in new[] { false, true })
                foreach (bool residual in new[] { false, true })
                    Check(new Case(m, 71, 390) { B = Order.Columns, Bias = bias, Residual = residual, Activation = activation, Alpha = 0.1f });
    }

    [Fact]
    public void Long_sums_and_several_passes_over_packed_weights()
    {
        Check(new Case(3, 1100, 390) { B = Order.Columns });
        Check(new Case(10, 3000, 900));                              // B exceeds the packing budget: several passes
        Check(new Case(3, 20, 30000) { A = Order.Columns, Accumulate = true });
        Check(new Case(2, 3, 0) { Bias = true });
    }

    [Fact]
    public void A_row_does_not_depend_on_the_number_of_rows()
    {
        const int N = 100, K = 500;
        float* a = Random(200 * K, 1), b = Random(K * N, 2), all = Random(200 * N, 3), few = Random(200 * N, 4);
        var p = Plain(200, N, K, a, b, all);
        Gemm.Run(p);
        foreach (int m in new[] { 1, 5, 23, 199 })
        {
            p.M = m;
            p.C = few;
            Gemm.Run(p);
            Assert.True(new ReadOnlySpan<float>(few, m * N).SequenceEqual(new ReadOnlySpan<float>(all, m * N)), $"rows: {m}");
        }
        Free(a, b, all, few);
    }

    [Fact]
    public void NaN_and_infinity_pass_through_the_epilogue()
    {
        float* a = Random(8, 1), b = Random(8 * 4, 2), c = Random(4, 3);
        foreach (var activation in new[] { Activation.Gelu, Activation.Silu, Activation.Relu })
        {
            for (int i = 0; i < 8; i++) a[i] = i == 0 ? 1 : 0;
            (b[0], b[1], b[2], b[3]) = (float.NaN, float.PositiveInfinity, -1000, -3e38f);
            var p = Plain(1, 4, 8, a, b, c);
            p.Activation = activation;
            Gemm.Run(p);
            Assert.Equal(float.NaN, c[0]);
            Assert.Equal(float.PositiveInfinity, c[1]);
            Assert.Equal(0, c[2], 1e-30);
            Assert.Equal(0, c[3], 1e-30);
        }
        Free(a, b, c);
    }

    [Fact]
    public void Allocates_nothing_once_warm()
    {
        float* a = Random(200 * 100, 1), b = Random(200 * 100, 2), c = Random(200 * 200, 3);
        var p = Plain(200, 200, 100, a, b, c);
        for (int i = 0; i < 3; i++) Gemm.RunSerial(p);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Gemm.RunSerial(p);
        p.M = 4;
        Gemm.RunSerial(p);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Free(a, b, c);
    }

    private static GemmProblem Plain(int m, int n, int k, float* a, float* b, float* c) => new()
    {
        M = m,
        N = n,
        K = k,
        A = a,
        ARow = k,
        ACol = 1,
        B = b,
        BRow = n,
        BCol = 1,
        C = c,
        CRow = n,
        CCol = 1,
        Batch0 = 1,
        Batch1 = 1,
        Alpha = 1,
    };

    private static (long Row, long Col, long Stride0, long Stride1, long Length) Place(Order order, int rows, int cols, int batch0, int batch1, bool share0, bool share1)
    {
        if (order >= Order.InterleavedRows)
        {
            long one = (long)rows * cols * batch1;
            return order == Order.InterleavedRows
                ? ((long)cols * batch1, batch1, share0 ? 0 : one, 1, one * (share0 ? 1 : batch0))
                : (batch1, (long)rows * batch1, share0 ? 0 : one, 1, one * (share0 ? 1 : batch0));
        }
        // A few unused elements after each row (or column) show writes outside C.
        (long row, long col, long size) = order switch
        {
            Order.Rows => (cols + 3L, 1L, rows * (cols + 3L)),
            Order.Columns => (1L, rows + 3L, cols * (rows + 3L)),
            _ => (3L * cols + 2, 3L, rows * (3L * cols + 2)),
        };
        long inner = share1 ? 1 : batch1;
        return (row, col, share0 ? 0 : size * inner, share1 ? 0 : size, size * inner * (share0 ? 1 : batch0));
    }

    private static void Check(Case t)
    {
        var p = new GemmProblem
        {
            M = t.M,
            N = t.N,
            K = t.K,
            Batch0 = t.Batch0,
            Batch1 = t.Batch1,
            Accumulate = t.Accumulate,
            Alpha = t.Alpha,
            Activation = t.Activation,
        };
        (p.ARow, p.ACol, p.A0, p.A1, long lengthA) = Place(t.A, t.M, t.K, t.Batch0, t.Batch1, false, false);
        (p.BRow, p.BCol, p.B0, p.B1, long lengthB) = Place(t.B, t.K, t.N, t.Batch0, t.Batch1, t.ShareB0, t.ShareB1);
        (p.CRow, p.CCol, p.C0, p.C1, long lengthC) = Place(t.C, t.M, t.N, t.Batch0, t.Batch1, false, false);
        float* before = Random(lengthC, 3), threaded = Random(lengthC, 3), serial = Random(lengthC, 3);
        p.A = Random(lengthA, 1);
        p.B = Random(lengthB, 2);
        long perBlock = t.C == Order.InterleavedRows ? t.Batch1 : 1;
        if (t.Bias)
        {
            p.Bias = Random((long)t.N * t.Batch0 * t.Batch1, 4);
            (p.BiasStride, p.Bias1, p.Bias0) = t.InterleavedBias ? (t.Batch1, 1, 0) : (0, t.N, (long)t.N * t.Batch1);
        }
        if (t.Residual)
        {
            p.ResidualRow = t.N * perBlock + 1;
            p.Residual = Random(t.M * p.ResidualRow, 5);
        }

        int threads = CpuPool.Threads;
        CpuPool.Threads = 2;
        p.C = threaded;
        Gemm.Run(p);
        CpuPool.Threads = 1;
        p.C = serial;
        Gemm.Run(p);
        CpuPool.Threads = threads;
        Assert.True(new ReadOnlySpan<float>(threaded, (int)lengthC).SequenceEqual(new ReadOnlySpan<float>(serial, (int)lengthC)), $"not bit-equal: {t}");
        Compare(t, p, before, threaded, lengthC, perBlock);
        Free(before, threaded, serial, p.A, p.B, p.Bias, p.Residual);
    }

    private static void Compare(Case t, in GemmProblem p, float* before, float* after, long length, long perBlock)
    {
        var written = new bool[length];
        for (int i = 0; i < t.Batch0; i++)
        {
            for (int j = 0; j < t.Batch1; j++)
            {
                for (int m = 0; m < t.M; m++)
                {
                    for (int n = 0; n < t.N; n++)
                    {
                        float* a = p.A + i * p.A0 + j * p.A1 + m * p.ARow, b = p.B + i * p.B0 + j * p.B1 + n * p.BCol;
                        double sum = 0, size = 1;
                        for (int k = 0; k < t.K; k++)
                        {
                            double term = (double)a[k * p.ACol] * b[k * p.BRow] * t.Alpha;
                            sum += term;
                            size += Math.Abs(term);
                        }
                        long at = i * p.C0 + j * p.C1 + m * p.CRow + n * p.CCol;
                        written[at] = true;
                        if (t.Accumulate) sum += before[at];
                        if (t.Bias) sum += p.Bias[i * p.Bias0 + j * p.Bias1 + n * Math.Max(1, p.BiasStride)];
                        sum = Activate(sum, t.Activation);
                        if (t.Residual) sum += p.Residual[m * p.ResidualRow + n * perBlock + (perBlock > 1 ? j : 0)];
                        Assert.True(Math.Abs(after[at] - sum) <= 5e-7 * (size + Math.Abs(sum)), $"{t}: C[{i},{j},{m},{n}] = {after[at]}, expected {sum}");
                    }
                }
            }
        }
        for (long i = 0; i < length; i++) Assert.True(written[i] || after[i] == before[i], $"{t}: wrote outside of C at {i}");
    }

    private static double Activate(double x, Activation activation) => activation switch
    {
        Activation.Gelu => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Relu => Math.Max(x, 0),
        _ => x,
    };

    private static float* Random(long count, int seed)
    {
        float* p = (float*)NativeMemory.AlignedAlloc((nuint)(count + 16) * sizeof(float), 64);
        var random = new Random(seed);
        for (long i = 0; i < count; i++) p[i] = (float)(2 * random.NextDouble() - 1);
        return p;
    }

    private static void Free(params float*[] pointers)
    {
        foreach (float* p in pointers) if (p != null) NativeMemory.AlignedFree(p);
    }
}

using System.Runtime.InteropServices;
using Sfn.Backends;
using Sfn.Backends.Cpu;

namespace Sfn.Bench;

/// <summary>Every hot kernel as a share of its limit: the FMA peak for products, the bandwidth of a copy for passes over memory.</summary>
internal static class Limits
{
    public static void Run(Options options, Report report)
    {
        double peak = Machine.Peak(0.5), copy = Machine.CopyBandwidth(), read = Machine.ReadBandwidth();
        report.Line("machine", $"{CpuPool.Threads} threads", ("GFLOP/s FMA", peak / 1e9, "F0"), ("GB/s copy", copy / 1e9, "F1"),
            ("GB/s read", read / 1e9, "F1"));
        Products(options, report);
        DecodeLimits.Run(options, report);
        Passes(options, report);
    }

    private static void Products(Options options, Report report)
    {
        report.Heading("matrix products, M = 1024: share of the FMA peak");
        var shares = new List<double>();
        const int M = 1024;
        foreach (var (k, n) in new[] { (768, 3072), (3072, 768), (768, 768), (768, 192), (192, 3072) })
        {
            shares.Add(Product(options, report, $"forward NT {k}->{n}", M, n, k, 1,
                (t, s) => (t.X([M, k]).View, t.W([n, k]).View.Transpose(0, 1), t.Y([M, n]).View)));
            shares.Add(Product(options, report, $"dX NN {n}->{k}", M, k, n, 1, (t, s) => (t.X([M, n]).View, t.W([n, k]).View, t.Y([M, k]).View)));
            shares.Add(Product(options, report, $"dW TN {n}x{k}", n, k, M, 1,
                (t, s) => (t.X([M, n]).View.Transpose(0, 1), t.W([M, k]).View, t.Y([n, k]).View)));
        }
        foreach (var (b, k, n) in new[] { (4, 192, 768), (2, 384, 1536), (4, 768, 192) })
        {
            shares.Add(Product(options, report, $"block-diagonal {b}x({k}->{n})", M, n, k, b, (t, s) =>
                (Split(t.X([M, b * k]), b), t.W([b, n, k]).View.Transpose(1, 2), Split(t.Y([M, b * n]), b))));
            shares.Add(Product(options, report, $"block-shuffle output {b}x({k}->{n})", M, n, k, b, (t, s) =>
                (Split(t.X([M, b * k]), b), t.W([b, n, k]).View.Transpose(1, 2), Interleaved(t.Y([M, b * n]), b))));
            shares.Add(Product(options, report, $"block-shuffle gradient {b}x({n}->{k})", M, k, n, b, (t, s) =>
                (Interleaved(t.X([M, b * n]), b), t.W([b, n, k]).View, Split(t.Y([M, b * k]), b))));
        }
        shares.RemoveAll(s => s == 0);
        if (shares.Count == 0) return;
        report.Line("matmul", "geometric mean", ("of peak", Math.Exp(shares.Average(Math.Log)), "P1"), ("lowest", shares.Min(), "P1"));
        Timing.Plausible(report, "matmul", shares.Max());
    }

    private sealed class Operands
    {
        public Tensor A = null!, B = null!, C = null!;
        public Tensor X(Shape shape) => A = Tensor.Randn(shape, 1);
        public Tensor W(Shape shape) => B = Tensor.Randn(shape, 2);
        public Tensor Y(Shape shape) => C = Tensor.Zeros(shape);
    }

    private static double Product(Options options, Report report, string name, int m, int n, int k, int batch, Func<Operands, int, (View, View, View)> make)
    {
        if (!options.Wants(name)) return 0;
        using var scope = Scope.Open();
        var operands = new Operands();
        var (a, b, c) = make(operands, 0);
        var backend = operands.C.Backend;
        backend.MatMul(a, b, c, default);
        if (!Verified(a, b, c)) report.Wrong(name, "differs from the float64 product");
        double flops = 2.0 * m * n * k * batch;
        var (seconds, share) = Timing.AgainstPeak(flops, options.Seconds, () => backend.MatMul(a, b, c, default));
        report.Line("matmul", name, ("of peak", share, "P1"), ("GFLOP/s", flops / seconds / 1e9, "F0"), ("us", seconds * 1e6, "F0"));
        return share;
    }

    internal static View Split(Tensor x, int blocks)
    {
        x.View.TryReshape([x.Shape[0], blocks, x.Shape[1] / blocks], out var split);
        return split.Transpose(0, 1);
    }

    private static View Interleaved(Tensor x, int blocks)
    {
        x.View.TryReshape([x.Shape[0], x.Shape[1] / blocks, blocks], out var split);
        return split.Permute([2, 0, 1]);
    }

    // Samples of the result against float64 sums.
    internal static unsafe bool Verified(in View a, in View b, in View c)
    {
        int r = c.Rank, k = a.Shape[r - 1];
        var random = new Random(1);
        for (int sample = 0; sample < 500; sample++)
        {
            int batch = r > 2 ? random.Next(c.Shape[0]) : 0, i = random.Next(c.Shape[r - 2]), j = random.Next(c.Shape[r - 1]);
            float* pa = (float*)a.Pointer + (r > 2 ? batch * a.Strides[0] : 0) + i * a.Strides[r - 2],
                pb = (float*)b.Pointer + (r > 2 ? batch * b.Strides[0] : 0) + j * b.Strides[r - 1];
            double sum = 0, size = 0;
            for (int q = 0; q < k; q++)
            {
                double term = (double)pa[q * a.Strides[r - 1]] * pb[q * b.Strides[r - 2]];
                sum += term;
                size += Math.Abs(term);
            }
            float got = ((float*)c.Pointer)[(r > 2 ? batch * c.Strides[0] : 0) + i * c.Strides[r - 2] + j * c.Strides[r - 1]];
            if (Math.Abs(got - sum) > 1e-6 * size) return false;
        }
        return true;
    }

    private static void Passes(Options options, Report report)
    {
        report.Heading("passes over memory, out of cache: share of a copy's bandwidth");
        // 128 MB per array, four times the last-level cache of a usual server: nothing of a pass is left for the next one. Bytes are the
        // algorithm's, one read and one write per array; add and AdamW read more than they write and may exceed a copy.
        const int Rows = 4096, Columns = 8192;
        using var scope = Scope.Open();
        var x = Tensor.Randn([Rows, Columns], 1);
        var y = x.EmptyLike();
        var weight = Tensor.Ones([Columns]);
        Pass(options, report, "exp", x, 2, () => x.Exp());
        Pass(options, report, "gelu", x, 2, () => x.Gelu());
        Pass(options, report, "add", x, 3, () => _ = x + x);
        Pass(options, report, "softmax", x, 2, () => x.Softmax());
        Pass(options, report, "layernorm", x, 2, () => x.LayerNorm(weight, weight));
        var backend = x.Backend;
        var targets = Tensor.Zeros([Rows], DType.I32);
        var losses = Tensor.Empty([Rows], DType.F32, x.Device);
        Pass(options, report, "cross-entropy with gradient", x, 2,
            () => ((ICrossEntropy)backend).CrossEntropy(y.View, targets.View, -100, losses.View, true), () => backend.Copy(x.View, y.View));
        var (g, m, v) = (Tensor.Randn([Rows, Columns / 2], 3), Tensor.Zeros([Rows, Columns / 2]), Tensor.Zeros([Rows, Columns / 2]));
        var p = Tensor.Randn([Rows, Columns / 2], 4);
        var settings = Tensor.Empty([AdamWSettings.Count], DType.F32, x.Device);
        backend.Upload(MemoryMarshal.AsBytes([new AdamWSettings(1e-4, .9, .999, 1e-8, .1, step: 10)]), settings.View);
        var views = new AdamWViews { P = p.View, G = g.View, M = m.View, V = v.View, Scale = Tensor.Ones([]).View };
        Pass(options, report, "adamw", p, 7, () => ((IOptimizerKernels)backend).AdamW(views, settings.View));
    }

    private static void Pass(Options options, Report report, string name, Tensor x, int streams, Action run, Action? prepare = null)
    {
        if (!options.Wants(name)) return;
        prepare?.Invoke();
        var ratios = new List<double>();
        for (int i = 0; i < 9; i++)
        {
            double copy = Machine.CopyBandwidth();
            double seconds = Timing.Seconds(0, () =>
            {
                using var scope = Scope.Open();
                run();
            });
            ratios.Add(streams * x.Bytes / seconds / copy);
        }
        report.Line("pass", name, ("of copy", Timing.Median(ratios), "P1"), ("bytes/elem", streams * 4, "F0"));
    }
}

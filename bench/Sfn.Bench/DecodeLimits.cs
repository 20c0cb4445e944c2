using System.Diagnostics;
using Sfn.Backends;

namespace Sfn.Bench;

/// <summary>
/// Products of few rows with weights that no cache holds, as in generation: y = x·Wᵀ as a share of max(bytes of W / read bandwidth,
/// FLOPs / FMA peak), both measured beside every sample.
/// </summary>
internal static class DecodeLimits
{
    private const long ColdBytes = 128 << 20;   // four times a third-level cache of 32 MB

    private static readonly (string Name, int Blocks, int K, int N)[] s_shapes =
    [
        ("768->3072", 1, 768, 3072), ("3072->768", 1, 3072, 768), ("768->768", 1, 768, 768), ("head 768->50257", 1, 768, 50257),
        ("768->192", 1, 768, 192), ("192->3072", 1, 192, 3072), ("block-diagonal 4x(192->768)", 4, 192, 768),
    ];

    public static void Run(Options options, Report report)
    {
        report.Heading("decode, cold weights: share of max(bytes / read bandwidth, FLOPs / FMA peak)");
        var shapes = s_shapes.Where(s => options.Wants($"decode {s.Name}")).ToArray();
        if (shapes.Length == 0) return;
        using var scope = Scope.Open();
        long most = shapes.Max(s => Copies(s.Blocks, s.K, s.N) * s.Blocks * s.K * s.N);
        var weights = Tensor.Randn([(int)most], 1);
        foreach (int rows in new[] { 1, 4, 16 })
        {
            var shares = new List<double>();
            foreach (var (name, blocks, k, n) in shapes) shares.Add(Measure(options, report, $"decode {name}, M = {rows}", weights, rows, blocks, k, n));
            report.Line("decode", $"M = {rows}, geometric mean", ("of bound", Math.Exp(shares.Average(Math.Log)), "P1"), ("lowest", shares.Min(), "P1"));
            if (shares.Max() > 1 + Timing.Tolerance) report.Wrong($"decode, M = {rows}", $"{shares.Max():P0} of the bound: a limit was measured wrong");
        }
    }

    private static unsafe double Read(Tensor weights)
    {
        float* at = (float*)weights.View.Pointer;
        return Machine.ReadBandwidthNow(at, at + weights.Count / 2, weights.Count / 2);
    }

    private static long Copies(int blocks, int k, int n) => (ColdBytes + (long)blocks * k * n * 4 - 1) / ((long)blocks * k * n * 4);

    private static double Measure(Options options, Report report, string name, Tensor weights, int rows, int blocks, int k, int n)
    {
        using var scope = Scope.Open();
        long size = (long)blocks * k * n;
        int copies = (int)Copies(blocks, k, n);
        Tensor x = Tensor.Randn([rows, blocks * k], 2), y = Tensor.Zeros([rows, blocks * n]);
        View a = blocks == 1 ? x.View : Limits.Split(x, blocks), c = blocks == 1 ? y.View : Limits.Split(y, blocks);
        var b = new View[copies];
        for (int i = 0; i < copies; i++)
        {
            weights.View.Narrow(0, (int)(i * size), (int)size).TryReshape(blocks == 1 ? [n, k] : [blocks, n, k], out var one);
            b[i] = one.Transpose(one.Rank - 2, one.Rank - 1);
        }
        var backend = y.Backend;
        backend.MatMul(a, b[^1], c, default);
        if (!Limits.Verified(a, b[^1], c)) report.Wrong(name, "differs from the float64 product");

        double bytes = size * 4.0, flops = 2.0 * rows * size;
        var times = new List<double>();
        var shares = new List<double>();
        var watch = Stopwatch.StartNew();
        while (times.Count < 7 || watch.Elapsed.TotalSeconds < options.Seconds)
        {
            double read = Read(weights), peak = Machine.Peak(0.004);
            long began = Stopwatch.GetTimestamp();
            for (int i = 0; i < copies; i++) backend.MatMul(a, b[i], c, default);
            double took = Stopwatch.GetElapsedTime(began).TotalSeconds / copies;
            read = (read + Read(weights)) / 2;
            peak = (peak + Machine.Peak(0.004)) / 2;
            times.Add(took);
            shares.Add(Math.Max(bytes / read, flops / peak) / took);
        }
        double seconds = Timing.Median(times), share = Timing.Median(shares);
        report.Line("decode", name, ("of bound", share, "P1"), ("GB/s", bytes / seconds / 1e9, "F1"), ("GFLOP/s", flops / seconds / 1e9, "F0"),
            ("us", seconds * 1e6, "F0"));
        return share;
    }
}

using System.Diagnostics;
using System.Runtime.Intrinsics;
using Sfn.Backends.Cpu;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>
/// The steps from three loops to the engine's matrix product, each verified, then timed beside the FMA peak. docs/04-kernels.md explains them.
/// </summary>
internal static unsafe class MatMulBench
{
    private sealed class Entry(string number, string name, Action<Product> run, bool threads = false)
    {
        public string Number => number;
        public string Name => $"{number} {name}";
        public Action<Product> Run => run;
        public bool Threads => threads;
        public bool Slow;
        public List<double> Seconds { get; } = [];
        public List<double> Shares { get; } = [];
    }

    private static readonly Entry[] s_variants =
    [
        new("1", "three loops", Widest<V1ThreeLoops>()),
        new("2", "loop order i, k, j", Widest<V2LoopOrder>()),
        new("3", "vectors", Widest<V3Vectors>()),
        new("4", "register tile", Widest<V4RegisterTile>()),
        new("4b", "accumulators in an array", Widest<V4bArrayTrap>()),
        new("5", "blocks of K", Widest<V5KBlocks>()),
        new("6", "B packed into panels", Widest<V6PackedB>()),
        new("7", "tall tile", Widest<V7TallTile>()),
        new("71", "tiles one thread", Widest<V8Threads>()),
        new("72", "tiles prefetch one thread", Widest<V9Prefetch>()),
        new("73", "engine one thread", Engine),
        new("8", "threads", Widest<V8Threads>(), true),
        new("9", "prefetch", Widest<V9Prefetch>(), true),
        new("10", "engine", Engine, true),
    ];

    private static Tensor s_a = null!, s_b = null!, s_c = null!;
    private static void Engine(Product p) => s_a.Backend.MatMul(s_a.View, s_b.View, s_c.View, default);
    private static Action<Product> Widest<T>() where T : IVariant
        => Vector512.IsHardwareAccelerated ? T.Run<F16> : Vector256.IsHardwareAccelerated ? T.Run<F8> : T.Run<F4>;

    public static void Run(Options options, Report report)
    {
        int M = 1024, N = 768, K = 3072;
        if (Environment.GetEnvironmentVariable("SHAPE") is { } sh) { var q = sh.Split(','); (M, N, K) = (int.Parse(q[0]), int.Parse(q[1]), int.Parse(q[2])); }
        int all = CpuPool.Threads;
        using var scope = Scope.Open();
        Tensor a = Tensor.Randn([M, K], 1), b = Tensor.Randn([K, N], 2), c = Tensor.Zeros([M, N]);
        (s_a, s_b, s_c) = (a, b, c);
        var product = new Product((float*)a.View.Pointer, (float*)b.View.Pointer, (float*)c.View.Pointer, M, N, K);
        var entries = s_variants.Where(v => options.Only is "" || options.Only.Split(',').Contains(v.Number)).ToArray();
        foreach (var e in entries)
        {
            CpuPool.Threads = e.Threads ? all : 1;
            double pk = Machine.Peak(0.05);
            long t = Stopwatch.GetTimestamp();
            e.Run(product);
            double s = Stopwatch.GetElapsedTime(t).TotalSeconds;
            if (s > 0.4) { e.Slow = true; e.Seconds.Add(s); e.Shares.Add(product.Flops / s / pk); }
        }
        for (int round = 0; round < 9; round++)
            foreach (var e in entries)
            {
                if (e.Slow) continue;
                CpuPool.Threads = e.Threads ? all : 1;
                double pk = Machine.Peak(0.02);
                long t = Stopwatch.GetTimestamp();
                e.Run(product);
                double s = Stopwatch.GetElapsedTime(t).TotalSeconds;
                e.Seconds.Add(s); e.Shares.Add(product.Flops / s / pk);
            }
        foreach (var e in entries)
            report.Line("variant", e.Name, ("GFLOP/s", product.Flops / Timing.Median(e.Seconds) / 1e9, "F1"), ("of peak", Timing.Median(e.Shares), "P1"));
        CpuPool.Threads = all;
    }
}

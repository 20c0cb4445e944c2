using System.Diagnostics;
using System.Runtime.Intrinsics;
using Sfn.Backends.Cpu;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>
/// The steps from three loops to the engine's matrix product, explained in docs/04-kernels.md: each is verified, then all are timed in turns,
/// with the FMA peak beside every run.
/// </summary>
internal static class MatMulBench
{
    private const int M = 1024, N = 768, K = 3072;   // the second product of a feedforward block, 3072 -> 768
    private const double SlowSeconds = 0.4;

    private sealed class Step(string number, string from, string name, Action<Product> run, bool threads = false)
    {
        public string Number => number;
        public string From => from;
        public string Name => $"{number} {name}";
        public List<double> Seconds { get; } = [];
        public List<double> Shares { get; } = [];

        /// <summary>A run that takes so long is timed once; all its rounds then have that time.</summary>
        public bool Slow => Seconds is [> SlowSeconds];

        public double SecondsOf(int round) => Seconds[Math.Min(round, Seconds.Count - 1)];

        public void Forget()
        {
            Seconds.Clear();
            Shares.Clear();
        }

        public void Time(Product p, int allThreads)
        {
            CpuPool.Threads = threads ? allThreads : 1;
            double peak = Machine.Peak(0.01);
            long began = Stopwatch.GetTimestamp();
            run(p);
            double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            peak = Math.Max(peak, Machine.Peak(0.01));
            Seconds.Add(seconds);
            Shares.Add(p.Flops / seconds / peak);
        }
    }

    private static IEnumerable<Step> Steps()
    {
        yield return new("1", "", "three loops", Widest<V1ThreeLoops>());
        yield return new("2", "1", "loop order i, k, j", Widest<V2LoopOrder>());
        yield return new("3", "2", "vectors", Widest<V3Vectors>());
        yield return new("4", "3", "register tile", Widest<V4RegisterTile>());
        yield return new("5", "4", "blocks of K", Widest<V5KBlocks>());
        yield return new("6", "5", "B packed into panels", Widest<V6PackedB>());
        yield return new("6b", "6", "its accumulators in an array", Widest<V6bArrayTrap>());
        if (V7TallTile.Fits) yield return new("7", "6", "tile of 8 rows", Widest<V7TallTile>());
        yield return new("8", V7TallTile.Fits ? "7" : "6", "threads", Widest<V8Threads>(), threads: true);
        if (V7TallTile.Fits) yield return new("9", "8", "prefetch of the next panel", Widest<V9Prefetch>(), threads: true);
        yield return new("10", V7TallTile.Fits ? "9" : "8", "the engine's kernel", Widest<V10Engine>(), threads: true);
    }

    private static Action<Product> Widest<T>() where T : IVariant
        => Vector512.IsHardwareAccelerated ? T.Run<F16> : Vector256.IsHardwareAccelerated ? T.Run<F8> : T.Run<F4>;

    public static void Run(Options options, Report report)
    {
        int threads = CpuPool.Threads;
        using var scope = Scope.Open();
        var product = new Product(Tensor.Randn([M, K], 1), Tensor.Randn([K, N], 2), Tensor.Zeros([M, N]));
        var steps = Steps().Where(step => options.Only is "" || step.Number == options.Only).ToList();
        try
        {
            PrintPeaks(report, threads);
            report.Heading($"C = A·B, float32, A {M} x {K}, B {K} x {N}: share of the FMA peak of one thread (steps 8 to 10: of all threads)");
            var check = new Check(product);
            foreach (var step in steps)
            {
                product.SafeC.Fill(float.NaN);
                step.Time(product, threads);
                if (check.Fault() is { } fault) report.Wrong(step.Name, fault);
                if (step.Slow) Print(report, step, steps);
                else step.Forget();   // the first run also compiled the method
            }
            var watch = Stopwatch.StartNew();
            for (int round = 0; round < 5 || watch.Elapsed.TotalSeconds < 25 * options.Seconds; round++)
                foreach (var step in steps.Where(step => !step.Slow)) step.Time(product, threads);
        }
        finally
        {
            CpuPool.Threads = threads;
        }
        foreach (var step in steps.Where(step => !step.Slow)) Print(report, step, steps);
    }

    private static void PrintPeaks(Report report, int threads)
    {
        CpuPool.Threads = 1;
        double one = Machine.Peak(0.3);
        CpuPool.Threads = threads;
        double all = Machine.Peak(0.3);
        report.Line("machine", $"1 and {threads} threads", ("GFLOP/s FMA, one", one / 1e9, "F0"), ("GFLOP/s FMA, all", all / 1e9, "F0"));
    }

    private static void Print(Report report, Step step, List<Step> steps)
    {
        double seconds = Timing.Median([.. step.Seconds]), share = Timing.Median([.. step.Shares]);
        var figures = new List<(string, double, string)> { ("GFLOP/s", 2.0 * M * N * K / seconds / 1e9, "F1"), ("of peak", share, "P1") };
        if (steps.Find(other => other.Number == step.From) is { } from)
            figures.Add(("gain", Timing.Median([.. step.Seconds.Select((own, round) => from.SecondsOf(round) / own)]), "F2"));
        report.Line("matmul", step.Name, [.. figures]);
        if (share > 1.02) report.Wrong(step.Name, $"{share:P0} of the peak: the peak was measured wrong");
    }
}

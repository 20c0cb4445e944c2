using System.Diagnostics;
using Sfn.Backends.Cpu;

namespace Sfn.Bench;

/// <summary>
/// Products in quiet and while another process keeps a core busy, alternating. A pool that waits for all its workers falls to a hundredth here, since
/// each region then waits for a time slice of the other process.
/// </summary>
internal static class Busy
{
    /// <summary>The command that this program starts itself with as the other process.</summary>
    public const string HogCommand = "hog";

    private const double Floor = 1.0 / 3;

    public static void Run(Options options, Report report)
    {
        report.Heading($"matmul beside a process that keeps one core busy, {CpuPool.Threads} threads: mean GFLOP/s");
        using var hog = new Other();
        foreach (var (m, k, n) in new[] { (256, 256, 256), (1024, 768, 768), (1024, 768, 3072) })
        {
            string name = $"{m} x {k} -> {n}";
            if (options.Wants(name)) Product(options, report, hog, name, m, k, n);
        }
    }

    private static void Product(Options options, Report report, Other hog, string name, int m, int k, int n)
    {
        using var scope = Scope.Open();
        Tensor x = Tensor.Randn([m, k], 1), w = Tensor.Randn([n, k], 2), y = Tensor.Zeros([m, n]);
        var backend = y.Backend;
        void Multiply() => backend.MatMul(x.View, w.View.Transpose(0, 1), y.View, default);

        Multiply();
        if (!Limits.Verified(x.View, w.View.Transpose(0, 1), y.View)) report.Wrong(name, "differs from the float64 product");
        float[] expected = y.ToArray();
        Timing.Seconds(0.2, Multiply);
        // Means, not medians: a stall is rare and long. Quiet and busy alternate, so that a drifting machine moves both.
        (double quiet, double busy, double longest) = (0, 0, 0);
        int quietRuns = 0, busyRuns = 0;
        for (int round = 0; round < 5; round++)
        {
            (int runs, double seconds, _) = Runs(options.Seconds / 2, Multiply);
            (quietRuns, quiet) = (quietRuns + runs, quiet + seconds);
            hog.Spin(true);
            (runs, seconds, double worst) = Runs(options.Seconds / 2, Multiply);
            hog.Spin(false);
            (busyRuns, busy, longest) = (busyRuns + runs, busy + seconds, Math.Max(longest, worst));
            if (!y.ToArray().AsSpan().SequenceEqual(expected)) report.Wrong(name, "the result beside a busy process differs from the quiet one");
        }
        double flops = 2.0 * m * k * n, ratio = busyRuns / busy / (quietRuns / quiet);
        report.Line("busy", name, ("quiet", quietRuns * flops / quiet / 1e9, "F0"), ("busy", busyRuns * flops / busy / 1e9, "F0"), ("ratio", ratio, "F2"),
            ("ms longest", longest * 1e3, "F1"));
        if (ratio < Floor) report.Wrong(name, $"keeps {ratio:P0} of its quiet speed beside one busy process, the floor is a third");
    }

    private static (int Runs, double Seconds, double Longest) Runs(double seconds, Action run)
    {
        int runs = 0;
        double longest = 0, last = 0;
        long began = Stopwatch.GetTimestamp();
        while (last < seconds)
        {
            run();
            runs++;
            double now = Stopwatch.GetElapsedTime(began).TotalSeconds;
            longest = Math.Max(longest, now - last);
            last = now;
        }
        return (runs, last, longest);
    }

    /// <summary>
    /// The other process: spins while its last line of input was "spin", answers each line, and ends with its input, so that it never outlives the one
    /// who started it, however that one ended.
    /// </summary>
    public static int Hog()
    {
        bool spin = false;
        var spinner = new Thread(() =>
        {
            while (true)
            {
                if (!Volatile.Read(ref spin)) Thread.Sleep(1);
            }
        });
        spinner.IsBackground = true;
        spinner.Start();
        while (Console.In.ReadLine() is { } line)
        {
            Volatile.Write(ref spin, line == "spin");
            Console.Out.WriteLine(line);
        }
        return 0;
    }

    private sealed class Other : IDisposable
    {
        private readonly Process _process;

        public Other()
        {
            string program = Environment.ProcessPath ?? throw new InvalidOperationException("The path of this program is unknown, so it cannot start itself.");
            var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true };
            // Started as "dotnet Sfn.Bench.dll", the program is dotnet.
            if (Path.GetFileNameWithoutExtension(program) == "dotnet") start.ArgumentList.Add(typeof(Busy).Assembly.Location);
            start.ArgumentList.Add(HogCommand);
            _process = Process.Start(start)!;
            Spin(false);
        }

        public void Spin(bool on)
        {
            string line = on ? "spin" : "rest";
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
            string? answer = _process.StandardOutput.ReadLine();
            if (answer != line) throw new InvalidOperationException($"The other process answered '{answer}' to '{line}'.");
            // One step of the scheduler, so that it has really begun or ended.
            Thread.Sleep(10);
        }

        public void Dispose()
        {
            try
            {
                _process.StandardInput.Close();
                if (!_process.WaitForExit(2000)) _process.Kill();
            }
            finally
            {
                _process.Dispose();
            }
        }
    }
}

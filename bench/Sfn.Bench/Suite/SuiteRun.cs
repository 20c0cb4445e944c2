using System.Diagnostics;
using Sfn.Backends;
using Sfn.Backends.Ilgpu;
using Sfn.Backends.Ilgpu.Runtime;

namespace Sfn.Bench.Suite;

/// <summary>
/// The suite for one device: verifies each result, times it with the device's events, and reports it as a share of a limit measured in the same run.
/// </summary>
internal sealed class SuiteRun
{
    private SuiteRun(Options options, Report report, Device device)
    {
        (Options, Device, Backend) = (options, device, device.Backend);
        Clock = new DeviceClock(Backend);
        var found = IlgpuDevices.Found.FirstOrDefault(f => f.Name == device.Name);
        Report = new SuiteReport(report, options.Results, SuiteReport.Environment(device, found, options.Scale, Clock.HasEvents));
    }

    public Options Options { get; }

    public Device Device { get; }

    public IBackend Backend { get; }

    public DeviceClock Clock { get; }

    public SuiteReport Report { get; }

    /// <summary>Bytes per second of a copy on the device, reads and writes counted; 0 until it was measured.</summary>
    public double CopyRate { get; set; }

    /// <summary>What PyTorch reached on the same device in the same run, by name.</summary>
    public Dictionary<string, double> Peer { get; private set; } = [];

    public static void Run(Options options, Report report)
    {
        IlgpuDevices.Register();
        Device device;
        try { device = Device.Get(options.Device); }
        catch (DeviceMismatch error)
        {
            report.Wrong("suite", error.Message);
            return;
        }
        var run = new SuiteRun(options, report, device);
        report.Heading($"suite on {device.Name}: {device.Description}");
        run.Report.Write();
        run.Limits();
        PassFigures.Run(run);
        ProductFigures.Run(run);
        AttentionFigures.Run(run);
        FeedForwardFigures.Run(run);
        TrainFigures.Run(run);
        DecodeFigures.Run(run);
        if (options.Soak > 0) Soak.Run(run);
        run.Report.Write();
    }

    /// <summary>A size of the reference machine's run, scaled: <paramref name="power"/> is 1 for counts of tokens and 0.5 for sides of matrices.</summary>
    public int Size(int full, double power, int multiple = 1, int least = 0)
        => Math.Max(Math.Max(least, multiple), (int)Math.Round(full * Math.Pow(Options.Scale, power) / multiple) * multiple);

    /// <summary>The same for several sizes, without repetitions.</summary>
    public int[] Sizes(int[] full, double power, int multiple = 1) => [.. full.Select(f => Size(f, power, multiple)).Distinct()];

    /// <summary>Measures one figure. Too little memory, or any other error, is reported as such and does not end the suite.</summary>
    public void Try(string name, string unit, Action measure)
    {
        if (!Options.Wants(name)) return;
        try
        {
            using var scope = Scope.Open(name);
            measure();
        }
        catch (OutOfDeviceMemory error)
        {
            Report.Add(new Figure(name, null, unit, Note: $"out of memory: {error.Message}"));
        }
        catch (Exception error)
        {
            Report.Wrong(name, error.Message);
            Report.Add(new Figure(name, null, unit, Note: $"failed: {error.GetType().Name}: {error.Message}"));
        }
        finally
        {
            Memory.CollectGarbage();
            try { Memory.Trim(Device); }
            catch (DeviceLost) { }     // its memory is gone with it
        }
    }

    /// <summary>Reports a deviation above what the arithmetic allows.</summary>
    public double Verify(string name, double error, double allowed)
    {
        if (!(error <= allowed)) Report.Wrong(name, $"deviates from float64 by {error:E2}, more than {allowed:E1}");
        return error;
    }

    /// <summary>Median seconds of each run. They take turns, so that what disturbs the machine disturbs all; a sample lasts two milliseconds or more.</summary>
    public double[] Medians(params Action[] runs)
    {
        int[] times = [.. runs.Select(WarmUp)];
        List<double>[] samples = [.. runs.Select(_ => new List<double>())];
        var watch = Stopwatch.StartNew();
        while (samples[0].Count < 3 || (watch.Elapsed.TotalSeconds < Options.Seconds * runs.Length && samples[0].Count < 200))
            for (int i = 0; i < runs.Length; i++) samples[i].Add(Clock.Seconds(runs[i], times[i]) / times[i]);
        return [.. samples.Select(Timing.Median)];
    }

    /// <summary>Median seconds of one run.</summary>
    public double Median(Action run) => Medians(run)[0];

    // Returns how many runs make a sample.
    private int WarmUp(Action run)
    {
        double once = Math.Min(Clock.Seconds(run), Clock.Seconds(run));
        int times = Math.Clamp((int)(0.002 / Math.Max(once, 1e-6)), 1, 100);
        Clock.Seconds(run, times);
        return times;
    }

    private void Limits()
    {
        Report.Heading("limits");
        // Every other figure needs it: measured whatever --only says.
        int count = Size(64 << 20, 1, 1024);
        using (Scope.Open("copy"))
        {
            Tensor x = Data.Normal([count], 1, DType.F32, Device), y = x.EmptyLike();
            double seconds = Median(() => Backend.Copy(x.View, y.View));
            CopyRate = 2 * x.Bytes / seconds;
            int at = new Random(1).Next(count);
            double error = Math.Abs(Data.Row(y.Narrow(0, at, 1))[0] - Data.Row(x.Narrow(0, at, 1))[0]);
            Report.Add(new Figure($"copy of {Memory.Format(x.Bytes)}", CopyRate / 1e9, "GB/s", Error: Verify("copy", error, 0)));
        }
        Memory.Trim(Device);
        if (!Device.Name.StartsWith("cuda", StringComparison.Ordinal)) return;
        Peer = TorchPeer.Run(Options.Scale, out string note);
        foreach (var (name, value) in Peer)
            Report.Add(new Figure($"torch {name}", value, name.StartsWith("train", StringComparison.Ordinal) ? "tokens/s" : "TFLOP/s"));
        Report.Add(new Figure("torch", null, "", Note: note));
    }

    /// <summary>PyTorch's figure of that name, or null.</summary>
    public double? Torch(string name) => Peer.TryGetValue(name, out double value) ? value : null;
}

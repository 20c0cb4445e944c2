using Sfn.Backends.Cpu;
using Sfn.Bench;
using Sfn.Peers;

// The same work in TorchSharp and in Sfn: compared first, then timed in turns, so that a drifting machine moves both.
Options options;
try
{
    options = new Options(args);
}
catch (Exception e) when (e is ArgumentException or FormatException)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}
if (options.Command is not ("ffn" or "step" or "memory"))
{
    Console.Error.WriteLine(Options.Usage);
    return 2;
}
if (options.Strongest && Strongest.Restart(args) is { } exit) return exit;

CpuPool.Threads = options.Threads;
if (options.Command == "memory" && options.Engine == "sfn") return MemoryProbe.Run(options);
if (NativeTorch.Load() is { } problem)
{
    Console.Error.WriteLine(problem);
    return 1;
}
TorchSharp.torch.set_num_threads(options.Threads);
if (options.Command == "memory") return MemoryProbe.Run(options);

using var report = new Report(options.Json);
var targets = new Targets(options, report);
report.Heading($"TorchSharp {(options.Strongest ? "at its strongest: " + Strongest.Describe() : "as installed")}; " +
    $"{options.Threads} threads; FMA peak {Machine.Peak(0.3) / 1e9:F0} GFLOP/s");
if (options.Command == "ffn") FfnPeers.Run(options, report, targets);
else StepPeers.Run(options, report, targets);
targets.Print();
return report.Failures == 0 ? 0 : 1;

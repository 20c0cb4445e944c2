using Sfn.Backends.Cpu;
using Sfn.Bench;
using Sfn.Bench.MatMulVariants;
using Sfn.Bench.Suite;

// The benchmark command: every figure is verified before it is timed, and reported as a share of a limit measured in the same run.
var options = new Options(args);
CpuPool.Threads = options.Threads;
using var report = new Report(options.Json);
switch (options.Command)
{
    case "limits": Limits.Run(options, report); break;
    case "ffn": FfnBench.Run(options, report); break;
    case "step": StepBench.Run(options, report); break;
    case "decode": DecodeBench.Run(options, report); break;
    case "scaling": Scaling.Run(options, report); break;
    case "busy": Busy.Run(options, report); break;
    case Busy.HogCommand: return Busy.Hog();
    case "guard": Guard.Run(options, report); break;
    case "matmul": MatMulBench.Run(options, report); break;
    case "suite": SuiteRun.Run(options, report); break;
    case "ptx": return PtxTexts.Run(options.Rest is [var folder] ? folder : "artifacts/ptx");
#if !BUNDLE
    case "micro": return Micro.Run(options.Rest);
#endif
    default:
        Console.Error.WriteLine(Options.Usage);
        return 2;
}
return report.Failures == 0 ? 0 : 1;

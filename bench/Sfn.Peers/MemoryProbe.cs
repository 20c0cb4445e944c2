using System.Diagnostics;
using System.Globalization;

namespace Sfn.Peers;

/// <summary>The peak memory of step (b), of one engine alone in a process of its own.</summary>
internal static class MemoryProbe
{
    // The second step is the first with gradients, activations and both moments at once. Ours takes no more memory after it, torch's
    // peak still grows over the next ones.
    private const int SfnSteps = 2, TorchSteps = 3;

    /// <summary>In the child: steps, then the peak in bytes on standard output.</summary>
    public static int Run(Options options)
    {
        Func<double> step = options.Engine switch
        {
            "sfn" => new SfnTrainer(Work.B(options)).Step,
            "torch" => new TorchTrainer(Work.B(options)).Step,
            _ => throw new ArgumentException($"There is no engine '{options.Engine}'; there are sfn and torch."),
        };
        for (int i = 0; i < (options.Engine == "sfn" ? SfnSteps : TorchSteps); i++) step();
        using var self = Process.GetCurrentProcess();
        Console.WriteLine(self.PeakWorkingSet64.ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    /// <summary>In the parent: runs the child and reads its answer.</summary>
    public static double Measure(Options options, string engine)
    {
        string threads = options.Threads.ToString(CultureInfo.InvariantCulture);
        var start = Strongest.Self(["memory", "--engine", engine, "--threads", threads, .. options.Learned ? ["--learned"] : Array.Empty<string>()]);
        start.RedirectStandardOutput = true;
        using var child = Process.Start(start)!;
        string answer = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        if (child.ExitCode != 0) throw new InvalidOperationException($"The process that measures the memory of {engine} ended with exit code {child.ExitCode}.");
        return double.Parse(answer, CultureInfo.InvariantCulture);
    }
}

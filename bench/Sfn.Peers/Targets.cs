using Sfn.Bench;

namespace Sfn.Peers;

/// <summary>What Sfn is to reach beside TorchSharp, as installed and at its strongest, and what this run found.</summary>
internal sealed class Targets(Options options, Report report)
{
    public const string Dense = "dense, forward+backward", LowRank = "LowRank r=192, forward+backward", Shuffle = "BlockShuffle b=4, forward+backward";
    public const string StepA = "step (a)", StepB = "step (b)";

    // Times torch's speed, on two cores of a processor with AVX-512.
    private static readonly (string Work, double Installed, double Strongest)[] s_speed =
    [
        (Dense, 2.2, 1.05), (LowRank, 2.4, 1.15), (Shuffle, 2.6, 1.3), (StepA, 2.2, 1.15), (StepB, 3, 1.05),
    ];

    private const double MemoryB = 3.2e9;
    private readonly List<(string Work, double Ratio, double Limit)> _found = [];
    private double _bytes;

    /// <summary>Sfn did this work so many times as fast as TorchSharp; the machine's FMA peak would allow <paramref name="limit"/>.</summary>
    public void Found(string work, double ratio, double limit) => _found.Add((work, ratio, limit));

    /// <summary>Sfn's process took so much memory at its peak for step (b).</summary>
    public void FoundMemory(double bytes) => _bytes = bytes;

    public void Print()
    {
        report.Heading("against the targets");
        foreach (var (work, installed, strongest) in s_speed)
        {
            double target = options.Strongest ? strongest : installed;
            foreach (var (name, ratio, limit) in _found)
                if (name == work) report.Line("target", work, ("x torch", ratio, "F2"), ("x target", target, "F2"), ("x at peak", limit, "F2"));
        }
        if (_bytes > 0) report.Line("target", "peak memory of step (b)", ("MB", _bytes / 1e6, "F0"), ("target MB", MemoryB / 1e6, "F0"));
    }
}

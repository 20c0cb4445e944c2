using System.Diagnostics;
using Sfn.Bench;

namespace Sfn.Peers;

/// <summary>Times two engines in turns.</summary>
internal static class Turns
{
    /// <summary>
    /// Median seconds per run of each, the median of torch/sfn over neighbouring batches, and the ratio that a program at the FMA peak, measured
    /// in the same turns, would reach for work of so many FLOPs. A batch is one run, or as many as fill 20 ms.
    /// </summary>
    public static (double Torch, double Sfn, double Ratio, double Limit) Measure(double seconds, int least, double flops, Action torch, Action sfn)
    {
        List<double> first = [], second = [], ratios = [], limits = [];
        var watch = Stopwatch.StartNew();
        while (ratios.Count < least || watch.Elapsed.TotalSeconds < seconds)
        {
            double t = Batch(torch), s = Batch(sfn);
            first.Add(t);
            second.Add(s);
            ratios.Add(t / s);
            limits.Add(t * Machine.Peak(0.02) / flops);
        }
        return (Timing.Median(first), Timing.Median(second), Timing.Median(ratios), Timing.Median(limits));
    }

    /// <summary>Runs both until their code and memory are settled.</summary>
    public static void WarmUp(int runs, Action torch, Action sfn)
    {
        for (int i = 0; i < runs; i++)
        {
            Batch(torch);
            Batch(sfn);
        }
    }

    private static double Batch(Action run)
    {
        // libtorch's OpenMP workers spin for some milliseconds after their last work, and would take a core from the engine whose turn it
        // is. Telling them not to would slow torch itself, so both engines begin after a rest. Sfn's workers spin for 50 microseconds.
        Thread.Sleep(20);
        return Timing.Batch(run);
    }
}

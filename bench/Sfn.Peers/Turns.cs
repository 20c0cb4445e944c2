using System.Diagnostics;
using Sfn.Bench;

namespace Sfn.Peers;

/// <summary>Times two engines in turns.</summary>
internal static class Turns
{
    /// <summary>
    /// Median seconds per run of each, and the median of torch/sfn over neighbouring batches. A batch is one run, or as many as fill 20 ms.
    /// </summary>
    public static (double Torch, double Sfn, double Ratio) Measure(double seconds, int least, Action torch, Action sfn)
    {
        List<double> first = [], second = [], ratios = [];
        var watch = Stopwatch.StartNew();
        while (ratios.Count < least || watch.Elapsed.TotalSeconds < seconds)
        {
            double t = Batch(torch), s = Batch(sfn);
            first.Add(t);
            second.Add(s);
            ratios.Add(t / s);
        }
        return (Timing.Median(first), Timing.Median(second), Timing.Median(ratios));
    }

    /// <summary>Runs both until their code and memory are settled.</summary>
    public static void WarmUp(int runs, Action torch, Action sfn)
    {
        for (int i = 0; i < runs; i++) Batch(torch);
        for (int i = 0; i < runs; i++) Batch(sfn);
    }

    private static double Batch(Action run)
    {
        // libtorch's OpenMP workers spin for some milliseconds after their last work, and would take a core from the engine whose turn it
        // is. Telling them not to would slow torch itself, so both engines begin after a rest. Sfn's workers spin for 50 microseconds.
        Thread.Sleep(20);
        long began = Stopwatch.GetTimestamp();
        double took;
        int runs = 0;
        do
        {
            run();
            runs++;
            took = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
        while (took < 0.02);
        return took / runs;
    }
}

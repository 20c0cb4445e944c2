using System.Diagnostics;

namespace Sfn.Bench;

/// <summary>Medians of repeated runs, each beside a measurement of the limit, so that a drifting machine moves both.</summary>
internal static class Timing
{
    /// <summary>
    /// How far above 1 a share of the peak may come out: two measurements a few milliseconds apart on a machine whose clock moves. A kernel beyond it
    /// means that the peak was measured wrong.
    /// </summary>
    public const double Tolerance = 0.01;

    /// <summary>Median seconds of <paramref name="run"/>, and the median ratio of its FLOP rate to the FMA peak measured beside each batch.</summary>
    /// <remarks>
    /// Batches of about 20 ms, see <see cref="BesidePeak{T}"/>. A median above 1 is measured once more, with longer looks at the peak.
    /// </remarks>
    public static (double Seconds, double Share) AgainstPeak(double flops, double seconds, Action run)
    {
        WarmUp(run);
        var result = Batches(flops, seconds, 0.01, run);
        return result.Share > 1 ? Batches(flops, seconds, 0.03, run) : result;
    }

    /// <summary>Reports a share that no kernel can have: as an error, or as a note where time alone may not fail a command.</summary>
    public static void Plausible(Report report, string name, double share, bool fails = true)
    {
        if (share <= 1 + Tolerance) return;
        string what = $"{share:P1} of the FMA peak: the peak was measured wrong";
        if (fails) report.Wrong(name, what);
        else Console.Error.WriteLine($"note: {name}: {what}");
    }

    private static (double Seconds, double Share) Batches(double flops, double seconds, double look, Action run)
    {
        var batches = new BesidePeak<double>(seconds, look);
        while (batches.More) batches.Measure(() => Batch(run));
        var values = batches.Values;
        return (Median([.. values.Select(v => v.Value)]), Median([.. values.Select(v => flops / v.Value / v.Peak)]));
    }

    /// <summary>Seconds per run of one run, or of as many as fill 20 ms.</summary>
    public static double Batch(Action run)
    {
        double took;
        int runs = 0;
        long began = Stopwatch.GetTimestamp();
        do
        {
            run();
            runs++;
            took = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
        while (took < 0.02);
        return took / runs;
    }

    /// <summary>Median seconds of <paramref name="run"/>.</summary>
    public static double Seconds(double seconds, Action run)
    {
        WarmUp(run);
        var times = new List<double>();
        var watch = Stopwatch.StartNew();
        while (times.Count < 5 || watch.Elapsed.TotalSeconds < seconds)
        {
            long began = Stopwatch.GetTimestamp();
            run();
            times.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
        }
        return Median(times);
    }

    public static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }

    // Methods reach their final code after some calls and a pause in which the compiler works.
    private static void WarmUp(Action run)
    {
        var watch = Stopwatch.StartNew();
        int runs = 0;
        while (runs < 3 || (watch.Elapsed.TotalSeconds < 0.2 && runs < 200))
        {
            run();
            runs++;
        }
    }
}

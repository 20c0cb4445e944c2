using System.Diagnostics;

namespace Sfn.Bench;

/// <summary>Medians of repeated runs, each beside a measurement of the limit, so that a drifting machine moves both.</summary>
internal static class Timing
{
    /// <summary>Median seconds of <paramref name="run"/>, and the median ratio of its FLOP rate to the FMA peak measured beside each batch.</summary>
    public static (double Seconds, double Share) AgainstPeak(double flops, double seconds, Action run)
    {
        WarmUp(run);
        var times = new List<double>();
        var shares = new List<double>();
        var watch = Stopwatch.StartNew();
        while (times.Count < 5 || watch.Elapsed.TotalSeconds < seconds)
        {
            double peak = Machine.Peak(0.01), one = 0;
            int runs = 0;
            long began = Stopwatch.GetTimestamp();
            do
            {
                run();
                runs++;
                one = Stopwatch.GetElapsedTime(began).TotalSeconds;
            }
            while (one < 0.02);
            peak = (peak + Machine.Peak(0.01)) / 2;
            times.Add(one / runs);
            shares.Add(flops / (one / runs) / peak);
        }
        return (Median(times), Median(shares));
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

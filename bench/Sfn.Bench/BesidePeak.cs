using System.Diagnostics;

namespace Sfn.Bench;

/// <summary>
/// Measurements that each stand between two looks at the FMA peak. The larger look is what the machine could do meanwhile, since what disturbs a look can
/// only lower it. Only measurements whose looks both saw the whole machine count: where others held a core for a while, neither share nor time means much.
/// </summary>
/// <param name="seconds">Measuring time; up to four times as much while too few measurements count. After that, all do.</param>
/// <param name="look">Seconds of a look.</param>
/// <param name="least">Fewest measurements.</param>
internal sealed class BesidePeak<T>(double seconds, double look, int least = 5)
{
    private const double Whole = 0.9;   // of the best look since the program began
    private readonly List<(T Value, double Lower, double Peak)> _all = [];
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private double _before = Machine.Peak(look);

    /// <summary>Whether to measure once more.</summary>
    public bool More => _all.Count < least || _watch.Elapsed.TotalSeconds < seconds || (Counted < least && _watch.Elapsed.TotalSeconds < 4 * seconds);

    /// <summary>What counts: each value with the peak beside it.</summary>
    public IReadOnlyList<(T Value, double Peak)> Values
    {
        get
        {
            bool enough = Counted >= Math.Min(3, least);
            return [.. _all.Where(m => !enough || Counts(m)).Select(m => (m.Value, m.Peak))];
        }
    }

    /// <summary>Takes one measurement.</summary>
    public void Measure(Func<T> measure)
    {
        var value = measure();
        double after = Machine.Peak(look);
        _all.Add((value, Math.Min(_before, after), Math.Max(_before, after)));
        _before = after;
    }

    private int Counted => _all.Count(Counts);

    private static bool Counts((T Value, double Lower, double Peak) m) => m.Lower >= Whole * Machine.BestPeak;
}

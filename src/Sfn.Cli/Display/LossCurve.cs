namespace Sfn.Cli.Display;

/// <summary>The training loss so far as one line of block characters, the whole run from left to right.</summary>
internal sealed class LossCurve(int width)
{
    private const string Levels = "▁▂▃▄▅▆▇█";
    private readonly (double Sum, int Count)[] _columns = new (double, int)[width];

    /// <summary>Adds the loss of a step from 1 to <paramref name="steps"/>.</summary>
    public void Add(long step, long steps, double loss)
    {
        int column = (int)Math.Min(width - 1, (double)(step - 1) / steps * width);
        _columns[column] = (_columns[column].Sum + loss, _columns[column].Count + 1);
    }

    public override string ToString()
    {
        var means = _columns.Select(c => c.Count == 0 ? double.NaN : c.Sum / c.Count).ToArray();
        double low = means.Where(double.IsFinite).DefaultIfEmpty(0).Min(), high = means.Where(double.IsFinite).DefaultIfEmpty(0).Max();
        int last = Array.FindLastIndex(means, double.IsFinite);
        var line = new char[last + 1];
        char level = ' ';
        for (int i = 0; i <= last; i++)
        {
            // A column without a step (a short run) repeats the one before it.
            if (double.IsFinite(means[i])) level = high > low ? Levels[(int)((means[i] - low) / (high - low) * (Levels.Length - 1) + 0.5)] : Levels[0];
            line[i] = level;
        }
        return new string(line);
    }
}

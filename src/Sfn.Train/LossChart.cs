using System.Globalization;
using System.Text;

namespace Sfn.Train;

/// <summary>Draws the loss curves of a run as a stand-alone SVG picture.</summary>
public static class LossChart
{
    private const int Width = 840, Height = 460, Left = 64, Right = 24, Top = 56, Bottom = 52;
    private const string Ink = "#1f2933", Soft = "#616e7c", Grid = "#e4e7eb", Train = "#2f6fb3", Validation = "#d1495b";

    /// <summary>Draws training loss (faint per step, bold smoothed) and validation loss (with points) over the steps.</summary>
    /// <param name="title">The heading, for example the run's name.</param>
    /// <param name="entries">The run's metrics; values that are not finite are left out.</param>
    /// <param name="subtitle">A second, smaller line; may be empty.</param>
    public static string Svg(string title, IReadOnlyList<MetricsEntry> entries, string subtitle = "")
    {
        ArgumentNullException.ThrowIfNull(title);
        ArgumentNullException.ThrowIfNull(entries);
        var training = Points(entries, e => e.Loss);
        var validation = Points(entries, e => e.ValLoss);
        var smooth = Smooth(training);
        double lastStep = Math.Max(1, entries.Count == 0 ? 1 : entries.Max(e => e.Step));
        var (low, high) = Range(training, validation);
        var xTicks = Ticks(0, lastStep, 8, whole: true);
        var yTicks = Ticks(low, high, 6, whole: false);
        // The axis ends on ticks, so that the curves have air above and below.
        low = Math.Min(low, yTicks[0]);
        high = Math.Max(high, yTicks[^1]);
        double X(double step) => Left + step / lastStep * (Width - Left - Right);
        double Y(double loss) => Top + (high - loss) / (high - low) * (Height - Top - Bottom);

        var svg = new StringBuilder();
        svg.Append("<svg xmlns=\"http://www.w3.org/2000/svg\" ");
        svg.Append(CultureInfo.InvariantCulture, $"viewBox=\"0 0 {Width} {Height}\" width=\"{Width}\" height=\"{Height}\" ");
        svg.Append("font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif\" font-size=\"12\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"#ffffff\"/>\n");
        Text(svg, Left, 26, title, Ink, "start", "font-size=\"16\" font-weight=\"600\"");
        Text(svg, Left, 44, subtitle, Soft, "start");
        string format = Format(yTicks);
        foreach (double tick in yTicks)
        {
            Line(svg, Left, Y(tick), Width - Right, Y(tick), Grid);
            Text(svg, Left - 10, Y(tick) + 4, tick.ToString(format, CultureInfo.InvariantCulture), Soft, "end");
        }
        foreach (double tick in xTicks)
        {
            Line(svg, X(tick), Height - Bottom, X(tick), Height - Bottom + 5, Soft);
            Text(svg, X(tick), Height - Bottom + 19, Steps(tick), Soft, "middle");
        }
        Line(svg, Left, Height - Bottom, Width - Right, Height - Bottom, Soft);
        Text(svg, (Left + Width - Right) / 2.0, Height - 12, "step", Soft, "middle");
        double middle = (Top + Height - Bottom) / 2.0;
        Text(svg, 18, middle, "loss (nats per token)", Soft, "middle",
            string.Create(CultureInfo.InvariantCulture, $"transform=\"rotate(-90 18 {middle:0.#})\""));
        // Values above the axis (a spike, the first steps of a long run) leave the plot through its top.
        svg.Append("<clipPath id=\"plot\">");
        svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left}\" y=\"{Top}\" width=\"{Width - Left}\" height=\"{Height - Top - Bottom}\"/>");
        svg.Append("</clipPath>\n");
        svg.Append("<g clip-path=\"url(#plot)\">\n");
        Curve(svg, training, X, Y, Train, 1, 0.35);
        Curve(svg, smooth, X, Y, Train, 2, 1);
        Curve(svg, validation, X, Y, Validation, 2, 1);
        svg.Append("</g>\n");
        foreach (var (step, loss) in validation.Where(p => validation.Count <= 40 && p.Loss <= high))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(step):0.#}\" cy=\"{Y(loss):0.#}\" r=\"3\" ");
            svg.Append(CultureInfo.InvariantCulture, $"fill=\"#ffffff\" stroke=\"{Validation}\" stroke-width=\"1.5\"/>\n");
        }
        Legend(svg, training, validation);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Legend(StringBuilder svg, List<(double Step, double Loss)> training, List<(double Step, double Loss)> validation)
    {
        double y = Top + 18;
        foreach (var (label, color, points) in new[] { ("training", Train, training), ("validation", Validation, validation) })
        {
            if (points.Count == 0) continue;
            Line(svg, Width - Right - 178, y - 4, Width - Right - 154, y - 4, color, 2.5);
            string value = points[^1].Loss.ToString("0.000", CultureInfo.InvariantCulture);
            Text(svg, Width - Right - 146, y, label, Ink, "start");
            Text(svg, Width - Right - 8, y, value, Ink, "end", "font-variant-numeric=\"tabular-nums\"");
            y += 20;
        }
    }

    private static List<(double Step, double Loss)> Points(IReadOnlyList<MetricsEntry> entries, Func<MetricsEntry, double?> value) =>
        [.. entries.Where(e => value(e) is { } v && double.IsFinite(v)).Select(e => ((double)e.Step, value(e)!.Value))];

    // A centred mean over 2 % of the points; a short curve stays as it is. At the start, where the loss falls, the window shrinks on both sides, at the
    // end, where it is flat, only on the right.
    private static List<(double Step, double Loss)> Smooth(List<(double Step, double Loss)> points)
    {
        int radius = points.Count / 100;
        var smooth = new List<(double, double)>(points.Count);
        for (int i = 0; i < points.Count; i++)
        {
            int reach = Math.Min(radius, i), last = Math.Min(i + reach, points.Count - 1);
            double sum = 0;
            for (int k = i - reach; k <= last; k++) sum += points[k].Loss;
            smooth.Add((points[i].Step, sum / (last - i + reach + 1)));
        }
        return smooth;
    }

    // One spike must not press the rest of the curve flat, nor the fall of the first steps a long run's: the top is the larger of the first value (behind
    // the first half per cent of a long run) and the 99th percentile.
    private static (double Low, double High) Range(List<(double Step, double Loss)> training, List<(double Step, double Loss)> validation)
    {
        double[] inOrder = [.. training.Concat(validation).OrderBy(p => p.Step).Select(p => p.Loss)];
        if (inOrder.Length == 0) return (0, 1);
        double[] sorted = [.. inOrder.Order()];
        double low = sorted[0], high = Math.Max(sorted[(sorted.Length - 1) * 99 / 100], inOrder[inOrder.Length < 1000 ? 0 : inOrder.Length / 200]);
        return high - low < 1e-6 * Math.Max(1, Math.Abs(low)) ? (low - 0.5, high + 0.5) : (low, high);
    }

    private static List<double> Ticks(double from, double to, int about, bool whole)
    {
        double raw = (to - from) / about, power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        double step = power * (raw / power is var m && m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
        if (whole) step = Math.Max(1, step);
        var ticks = new List<double>();
        // Steps end with the run; losses get a tick below and above the data.
        long first = (long)Math.Floor(from / step + 1e-9), last = whole ? (long)Math.Floor(to / step + 1e-9) : (long)Math.Ceiling(to / step - 1e-9);
        for (long i = first; i <= last; i++) ticks.Add(i * step);
        return ticks;
    }

    private static string Format(List<double> ticks)
    {
        double step = ticks.Count > 1 ? ticks[1] - ticks[0] : 1;
        return "F" + Math.Clamp((int)Math.Ceiling(-Math.Log10(step) - 1e-9), 0, 6).ToString(CultureInfo.InvariantCulture);
    }

    private static string Steps(double tick) => tick.ToString("#,0", CultureInfo.InvariantCulture);

    // More points than pixels only make the file large: each bucket keeps its lowest and its highest.
    private static IEnumerable<(double Step, double Loss)> Envelope(List<(double Step, double Loss)> points, int buckets)
    {
        if (points.Count <= 2 * buckets) return points;
        return points.Select((p, i) => (Point: p, Bucket: (long)i * buckets / points.Count)).GroupBy(p => p.Bucket, p => p.Point)
            .SelectMany(g => new[] { g.MinBy(p => p.Loss), g.MaxBy(p => p.Loss) }.Distinct().OrderBy(p => p.Step));
    }

    private static void Curve(StringBuilder svg, List<(double Step, double Loss)> points, Func<double, double> x, Func<double, double> y,
        string color, double width, double opacity)
    {
        if (points.Count < 2) return;
        svg.Append(CultureInfo.InvariantCulture, $"<path fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-opacity=\"{opacity}\" ");
        svg.Append("stroke-linejoin=\"round\" d=\"");
        char command = 'M';
        foreach (var (step, loss) in Envelope(points, Width - Left - Right))
        {
            svg.Append(CultureInfo.InvariantCulture, $"{command}{x(step):0.#} {y(loss):0.#}");
            command = 'L';
        }
        svg.Append("\"/>\n");
    }

    private static void Line(StringBuilder svg, double x1, double y1, double x2, double y2, string color, double width = 1) => svg.Append(
        CultureInfo.InvariantCulture, $"<line x1=\"{x1:0.#}\" y1=\"{y1:0.#}\" x2=\"{x2:0.#}\" y2=\"{y2:0.#}\" stroke=\"{color}\" stroke-width=\"{width}\"/>\n");

    private static void Text(StringBuilder svg, double x, double y, string text, string color, string anchor, string more = "")
    {
        if (text.Length == 0) return;
        string escaped = System.Net.WebUtility.HtmlEncode(new string([.. text.Where(c => !char.IsControl(c))]));
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:0.#}\" y=\"{y:0.#}\" fill=\"{color}\" text-anchor=\"{anchor}\" {more}>{escaped}</text>\n");
    }
}

using System.Globalization;
using System.Net;
using System.Text;

namespace Sfn.Bench;

/// <summary>A line of a chart; a point's label may be empty.</summary>
internal sealed record Curve(string Name, bool Dashed, IReadOnlyList<(double X, double Y, string Label)> Points);

/// <summary>Lines over a sweep in powers of two, as a stand-alone SVG picture that follows the reader's light or dark scheme.</summary>
internal sealed record Chart(string Title, string Subtitle, string XName, string YName, IReadOnlyList<Curve> Curves)
{
    private const int Width = 760, Height = 440, Left = 92, Right = 44, Top = 104, Bottom = 64;

    // The picture has its own background in both schemes: a viewer that knows no schemes shows the light one, readable on any page.
    private const string Style = """
        <style>
        .back{fill:#ffffff} .ink{fill:#1f2933} .soft{fill:#52606d} .grid{stroke:#e4e7eb} .axis{stroke:#7b8794}
        .line{fill:none;stroke-width:2.25;stroke-linejoin:round} .dashed{stroke-dasharray:6 5;stroke-width:1.75}
        .c0{stroke:#2f6fb3} .c1{stroke:#d1495b} .f0{fill:#2f6fb3} .f1{fill:#d1495b}
        .halo{stroke:#ffffff;stroke-width:4;stroke-linejoin:round;paint-order:stroke}
        @media (prefers-color-scheme: dark) {
        .back{fill:#15191e} .ink{fill:#e4e7eb} .soft{fill:#9aa5b1} .grid{stroke:#2b333c} .axis{stroke:#7b8794}
        .c0{stroke:#6cabf0} .c1{stroke:#f0808c} .f0{fill:#6cabf0} .f1{fill:#f0808c} .halo{stroke:#15191e}
        }
        </style>

        """;

    /// <summary>Whether the y axis is logarithmic; else it starts at zero.</summary>
    public bool LogY { get; init; } = true;

    /// <summary>The picture.</summary>
    public string Svg()
    {
        double[] xs = [.. Curves.SelectMany(c => c.Points).Select(p => p.X).Distinct().Order()];
        double[] ys = [.. Curves.SelectMany(c => c.Points).Select(p => p.Y)];
        // A label stands up to 20 units below its point: the lowest tick leaves room for it.
        var ticks = LogY ? LogTicks(ys.Min() / Math.Pow(ys.Max() / ys.Min(), 0.08), ys.Max()) : LinearTicks(ys.Max());
        double low = Scale(ticks[0]), high = Scale(ticks[^1]), first = Math.Log2(xs[0]), last = Math.Log2(xs[^1]);
        // Air on both sides, so that the first and last points and their labels stand clear of the axis.
        double air = Math.Max(0.25, (last - first) * 0.05);
        double X(double x) => Left + (Math.Log2(x) - first + air) / (last - first + 2 * air) * (Width - Left - Right);
        double Y(double y) => Height - Bottom - (Scale(y) - low) / (high - low) * (Height - Top - Bottom);

        var svg = new StringBuilder();
        svg.Append("<svg xmlns=\"http://www.w3.org/2000/svg\" ");
        svg.Append(CultureInfo.InvariantCulture, $"viewBox=\"0 0 {Width} {Height}\" width=\"{Width}\" height=\"{Height}\" ");
        svg.Append("font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif\" font-size=\"12\" role=\"img\" ");
        svg.Append(CultureInfo.InvariantCulture, $"aria-label=\"{WebUtility.HtmlEncode(Title)}\">\n{Style}");
        svg.Append(CultureInfo.InvariantCulture, $"<rect class=\"back\" width=\"{Width}\" height=\"{Height}\"/>\n");
        Text(svg, 20, 30, Title, "ink", "start", "font-size=\"17\" font-weight=\"600\"");
        Text(svg, 20, 51, Subtitle, "soft", "start");
        Legend(svg);
        foreach (double tick in ticks)
        {
            Line(svg, Left, Y(tick), Width - Right, Y(tick), "grid");
            Text(svg, Left - 10, Y(tick) + 4, Number(tick), "soft", "end");
        }
        foreach (double x in xs)
        {
            Line(svg, X(x), Height - Bottom, X(x), Height - Bottom + 5, "axis");
            Text(svg, X(x), Height - Bottom + 20, Number(x), "soft", "middle");
        }
        Line(svg, Left, Height - Bottom, Width - Right, Height - Bottom, "axis");
        Text(svg, (Left + Width - Right) / 2.0, Height - 16, XName, "ink", "middle");
        double middle = (Top + Height - Bottom) / 2.0;
        Text(svg, 22, middle, YName, "ink", "middle", string.Create(CultureInfo.InvariantCulture, $"transform=\"rotate(-90 22 {middle:0.#})\""));
        for (int i = Curves.Count - 1; i >= 0; i--) Draw(svg, i, X, Y);
        return svg.Append("</svg>\n").ToString();
    }

    private double Scale(double y) => LogY ? Math.Log10(y) : y;

    private void Legend(StringBuilder svg)
    {
        double x = 20;
        for (int i = 0; i < Curves.Count; i++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<path class=\"line c{i}{(Curves[i].Dashed ? " dashed" : "")}\" d=\"M{x:0.#} 74H{x + 30:0.#}\"/>\n");
            Text(svg, x + 38, 78, Curves[i].Name, "ink", "start");
            x += 64 + 6.6 * Curves[i].Name.Length;
        }
    }

    private void Draw(StringBuilder svg, int index, Func<double, double> x, Func<double, double> y)
    {
        var curve = Curves[index];
        var at = curve.Points.Select(p => (X: x(p.X), Y: y(p.Y))).ToArray();
        svg.Append(CultureInfo.InvariantCulture, $"<path class=\"line c{index}{(curve.Dashed ? " dashed" : "")}\" d=\"");
        for (int i = 0; i < at.Length; i++) svg.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? 'M' : 'L')}{at[i].X:0.#} {at[i].Y:0.#}");
        svg.Append("\"/>\n");
        if (curve.Dashed) return;
        for (int i = 0; i < at.Length; i++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<circle class=\"f{index}\" cx=\"{at[i].X:0.#}\" cy=\"{at[i].Y:0.#}\" r=\"4\"/>\n");
            // Labels stand below the line, on the side that it leaves free: left where it falls, right where it rises.
            double slope = at[Math.Min(i + 1, at.Length - 1)].Y - at[Math.Max(i - 1, 0)].Y;
            var (shift, anchor) = slope > 8 ? (-7, "end") : slope < -8 ? (8, "start") : (0, "middle");
            Text(svg, at[i].X + shift, at[i].Y + (shift == 0 ? 20 : 16), curve.Points[i].Label, "soft halo", anchor, "font-size=\"11\"");
        }
    }

    // The densest of three sets of round numbers that gives at most eight ticks; the outermost enclose the data.
    private static List<double> LogTicks(double low, double high)
    {
        foreach (double[] steps in (double[][])[[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]])
        {
            var all = new List<double>();
            for (int power = (int)Math.Floor(Math.Log10(low)); power <= (int)Math.Floor(Math.Log10(high)) + 1; power++)
                all.AddRange(steps.Select(s => s * Math.Pow(10, power)));
            int from = all.FindLastIndex(t => t <= low), to = all.FindIndex(t => t >= high);
            if (to - from < 8) return all[from..(to + 1)];
        }
        return [low, high];
    }

    private static List<double> LinearTicks(double high)
    {
        double raw = high / 6, power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        double step = power * (raw / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
        return [.. Enumerable.Range(0, (int)Math.Ceiling(high / step) + 1).Select(i => i * step)];
    }

    private static string Number(double value) => value.ToString(value >= 1 || value == 0 ? "#,0.##" : "0.####", CultureInfo.InvariantCulture);

    private static void Line(StringBuilder svg, double x1, double y1, double x2, double y2, string kind) => svg.Append(
        CultureInfo.InvariantCulture, $"<line class=\"{kind}\" x1=\"{x1:0.#}\" y1=\"{y1:0.#}\" x2=\"{x2:0.#}\" y2=\"{y2:0.#}\"/>\n");

    private static void Text(StringBuilder svg, double x, double y, string text, string kind, string anchor, string more = "")
    {
        if (text.Length == 0) return;
        svg.Append(CultureInfo.InvariantCulture, $"<text class=\"{kind}\" x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\" {more}>");
        svg.Append(WebUtility.HtmlEncode(text)).Append("</text>\n");
    }
}

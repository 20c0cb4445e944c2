using System.Globalization;
using Sfn.Train;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Sfn.Cli.Display;

/// <summary>
/// A panel of figures that redraws itself in place. The trainer only leaves its latest figures here; a timer draws them, so training never
/// waits.
/// </summary>
internal sealed class LiveTrainView : TrainView
{
    private const int NameWidth = 13;
    private static readonly TimeSpan s_redraw = TimeSpan.FromMilliseconds(250);

    // What is left of the line beside name, figures and margins.
    private static readonly int s_bar = Math.Clamp(Terminal.Out.Profile.Width - NameWidth - 35, 5, 40);
    private static readonly int s_curve = Math.Clamp(Terminal.Out.Profile.Width - NameWidth - 20, 5, 48);

    private readonly LossCurve _curve = new(s_curve);
    private readonly Lock _lock = new();
    private TrainProgress? _now;
    private long _received;
    private string? _validation;
    private volatile bool _stopping;

    public override TrainSummary Show(Func<TrainSummary> work)
    {
        TrainSummary? summary = null;
        Terminal.Out.Live(Render()).AutoClear(false).Overflow(VerticalOverflow.Crop).Start(context =>
        {
            var timer = new Timer(_ => Redraw(context), null, s_redraw, s_redraw);
            try { summary = work(); }
            // Waits for a redraw that is under way: none may follow the end of the display.
            finally { timer.DisposeAsync().AsTask().GetAwaiter().GetResult(); }
            Redraw(context);
        });
        return summary!;
    }

    public override void Report(TrainProgress value)
    {
        lock (_lock)
        {
            _now = value;
            _received = Environment.TickCount64;
            if (value.Loss is { } loss && value.Step > 0) _curve.Add(value.Step, value.Steps, loss);
            if (value.ValLoss is { } validation && (value.Evaluated || _validation is null))
            {
                string step = value.Evaluated ? $" (step {value.Step})" : "";
                _validation = string.Create(CultureInfo.InvariantCulture, $"{validation:0.0000}, {value.ValBitsPerByte:0.000} bits per byte{step}");
            }
        }
    }

    public override void Stopping() => _stopping = true;

    private void Redraw(LiveDisplayContext context)
    {
        try { context.UpdateTarget(Render()); }
        catch (IOException)
        {
            // The terminal is gone. Training is worth more than the display.
        }
    }

    private IRenderable Render()
    {
        lock (_lock)
        {
            if (_now is not { } now) return new Markup("  starting …");
            var grid = new Grid().AddColumn(new GridColumn().NoWrap().Width(NameWidth).Padding(2, 0, 2, 0)).AddColumn(new GridColumn().NoWrap());
            double share = now.Steps == 0 ? 1 : (double)now.Step / now.Steps;
            Row("step", $"{Numbers.Count(now.Step)} of {Numbers.Count(now.Steps)}  {Bar(share)} " +
                $"{Math.Floor(100 * share).ToString(CultureInfo.InvariantCulture)} %");
            Row("loss", now.Loss is { } loss ? $"[bold]{loss.ToString("0.0000", CultureInfo.InvariantCulture)}[/]  [green]{_curve}[/]" : "");
            Row("bits per byte", now.BitsPerByte?.ToString("0.000", CultureInfo.InvariantCulture) ?? "");
            Row("validation", _validation ?? "");
            Row("learning rate", now.Step > 0 ? now.LearningRate.ToString("0.00e-0", CultureInfo.InvariantCulture) : "");
            Row("tokens/s", now.TokensPerSecond > 0 ? now.TokensPerSecond.ToString("N0", CultureInfo.InvariantCulture) : "");
            Row("memory", Memory.Format(now.PeakBytes));
            Row("time left", now.Remaining is { } left ? Numbers.Time(Left(left, now)) : "");
            return _stopping ? new Rows(grid, new Markup("  [yellow]stopping after this step, with a checkpoint; Ctrl-C again ends at once[/]")) : grid;

            void Row(string name, string value) => grid.AddRow(new Markup($"[grey]{name}[/]"), new Markup(value));
        }
    }

    // Counts down between steps, which may take minutes with a large model.
    private double Left(TimeSpan left, TrainProgress now) =>
        now.Step == now.Steps ? 0 : Math.Max(0, left.TotalSeconds - (Environment.TickCount64 - _received) / 1000.0);

    private static string Bar(double share)
    {
        int done = (int)(share * s_bar);
        return $"[green]{new string('━', done)}[/][grey]{new string('─', s_bar - done)}[/]";
    }
}

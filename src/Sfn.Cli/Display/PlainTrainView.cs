using System.Globalization;
using Sfn.Train;

namespace Sfn.Cli.Display;

/// <summary>
/// One line per logged moment, for files and pipes: the first steps, every evaluation, the last step, and otherwise every ten seconds. No control characters.
/// </summary>
internal sealed class PlainTrainView : TrainView
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(10);
    private TimeSpan _last = TimeSpan.MinValue;
    private bool _first = true;

    public override TrainSummary Show(Func<TrainSummary> work) => work();

    public override void Report(TrainProgress value)
    {
        string validation = value.Evaluated
            ? string.Create(CultureInfo.InvariantCulture, $"validation {value.ValLoss:0.0000}, {value.ValBitsPerByte:0.000} bits per byte") : "";
        if (value.Step == 0) Console.WriteLine($"untrained: {validation}");
        else if (_first || value.Evaluated || value.Step == value.Steps || value.Elapsed - _last >= s_interval)
        {
            Console.WriteLine($"{Line(value)}{(validation.Length > 0 ? "  " : "")}{validation}");
            (_first, _last) = (false, value.Elapsed);
        }
    }

    public override void Stopping() => Console.WriteLine("stopping after this step; a second signal ends at once");

    private static string Line(TrainProgress value)
    {
        string steps = value.Steps.ToString(CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture,
            $"step {value.Step.ToString(CultureInfo.InvariantCulture).PadLeft(steps.Length)}/{steps}  loss {value.Loss:0.0000}, " +
                $"{value.BitsPerByte:0.000} bits per byte  " +
            $"lr {value.LearningRate:0.00e-0}  tokens/s {value.TokensPerSecond:N0}  memory {Memory.Format(value.PeakBytes)}  " +
            $"left {(value.Remaining is { } left ? Numbers.Time(left.TotalSeconds) : "?")}");
    }
}

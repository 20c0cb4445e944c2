using Sfn.Train;

namespace Sfn.Cli.Display;

/// <summary>Shows a training run while it goes on.</summary>
internal abstract class TrainView : IProgress<TrainProgress>
{
    /// <summary>The view that suits standard output: one that redraws itself on a terminal, plain lines elsewhere.</summary>
    public static TrainView Create() => Terminal.IsLive ? new LiveTrainView() : new PlainTrainView();

    /// <summary>Runs the work with the view around it.</summary>
    public abstract TrainSummary Show(Func<TrainSummary> work);

    /// <inheritdoc/>
    public abstract void Report(TrainProgress value);

    /// <summary>Says that the run ends after the current step. Called from another thread.</summary>
    public abstract void Stopping();
}

namespace Sfn.Train;

/// <summary>What the trainer reports after each step, and after each evaluation.</summary>
public sealed record TrainProgress
{
    /// <summary>Optimizer steps done; 0 before the first.</summary>
    public required long Step { get; init; }

    /// <summary>Optimizer steps of the run.</summary>
    public required long Steps { get; init; }

    /// <summary>Tokens trained on so far.</summary>
    public required long Tokens { get; init; }

    /// <summary>Training loss of the last logged step, nats per token.</summary>
    public double? Loss { get; init; }

    /// <summary>Training loss in bits per byte of the text.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>Latest validation loss, nats per token.</summary>
    public double? ValLoss { get; init; }

    /// <summary>Latest validation loss in bits per byte of the text.</summary>
    public double? ValBitsPerByte { get; init; }

    /// <summary>Whether <see cref="ValLoss"/> was measured just now.</summary>
    public bool Evaluated { get; init; }

    /// <summary>Whether a checkpoint was written just now.</summary>
    public bool Saved { get; init; }

    /// <summary>Learning rate of the step.</summary>
    public double LearningRate { get; init; }

    /// <summary>Norm of all gradients before clipping, at the last logged step.</summary>
    public double GradientNorm { get; init; }

    /// <summary>Training tokens per second, evaluations and checkpoints left out.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>Bytes of tensors in use.</summary>
    public long LiveBytes { get; init; }

    /// <summary>Largest number of bytes the process held so far; see <see cref="TrainSummary.PeakBytes"/>.</summary>
    public long PeakBytes { get; init; }

    /// <summary>Time since this process began to train.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>Estimated time to the end; null before the first step.</summary>
    public TimeSpan? Remaining { get; init; }
}

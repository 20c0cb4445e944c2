using System.Text.Json;
using Sfn.IO;

namespace Sfn.Train;

/// <summary>The result of a run, and what summary.json holds.</summary>
public sealed record TrainSummary
{
    /// <summary>The run's name.</summary>
    public required string Name { get; init; }

    /// <summary>Whether all steps were done; false after a cancellation.</summary>
    public required bool Completed { get; init; }

    /// <summary>Last validation loss, nats per token; null if none was measured.</summary>
    public required double? ValLoss { get; init; }

    /// <summary>Last validation loss in bits per byte of the text.</summary>
    public required double? BitsPerByte { get; init; }

    /// <summary>Smallest validation loss.</summary>
    public required double? BestValLoss { get; init; }

    /// <summary>The step of the smallest validation loss.</summary>
    public required long BestStep { get; init; }

    /// <summary>Training loss of the last logged step, nats per token.</summary>
    public required double? TrainLoss { get; init; }

    /// <summary>Optimizer steps done.</summary>
    public required long Steps { get; init; }

    /// <summary>Tokens trained on.</summary>
    public required long Tokens { get; init; }

    /// <summary>Training tokens per second: the median of the logged steps after the first ones.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>Seconds of training, evaluations and checkpoints included, resumed parts too.</summary>
    public required double Seconds { get; init; }

    /// <summary>
    /// Largest number of bytes held, by own account: the process before the model was made, the tensors at their peak and what the garbage collector added.
    /// </summary>
    public required long PeakBytes { get; init; }

    /// <summary>Largest number of bytes of tensors, in use and kept for reuse.</summary>
    public required long PeakTensorBytes { get; init; }

    /// <summary>Largest resident size of the process as the operating system counts it.</summary>
    public required long PeakResidentBytes { get; init; }

    /// <summary>Number of parameters.</summary>
    public required long Parameters { get; init; }

    /// <summary>Parameters of the feedforward matrices.</summary>
    public required long FeedForwardParameters { get; init; }

    /// <summary>The run's seed.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Device.</summary>
    public required string Device { get; init; }

    /// <summary>What the model computed in.</summary>
    public required Precision Precision { get; init; }

    /// <summary>CPU threads.</summary>
    public required int Threads { get; init; }

    /// <summary>What the text is.</summary>
    public required string Corpus { get; init; }

    /// <summary>SHA-256 of the text, training then validation.</summary>
    public required string CorpusSha256 { get; init; }

    /// <summary>The last checkpoint.</summary>
    public required string Checkpoint { get; init; }

    /// <summary>SHA-256 of the last checkpoint: two runs of one configuration agree in it.</summary>
    public required string CheckpointSha256 { get; init; }

    /// <summary>The run as JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, TrainJson.Default.TrainSummary).ReplaceLineEndings("\n");

    internal void Save(string path) => AtomicFile.WriteAllText(path, ToJson() + "\n");
}

using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Sfn.IO;

namespace Sfn.Train;

/// <summary>What is logged of one optimizer step. A field that was not measured at that step is null and left out.</summary>
public sealed record MetricsEntry
{
    /// <summary>Optimizer steps done, from 1.</summary>
    public long Step { get; init; }

    /// <summary>Tokens trained on so far.</summary>
    public long Tokens { get; init; }

    /// <summary>Training loss of the step, nats per token.</summary>
    public double? Loss { get; init; }

    /// <summary>Validation loss, nats per token.</summary>
    public double? ValLoss { get; init; }

    /// <summary>Training loss in bits per byte of the text.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>Validation loss in bits per byte of the text.</summary>
    public double? ValBitsPerByte { get; init; }

    /// <summary>Learning rate of the step.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Norm of all gradients before clipping.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>Training tokens per second at this step.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Bytes of tensors in use after the step.</summary>
    public long? LiveBytes { get; init; }

    /// <summary>Largest number of bytes held so far.</summary>
    public long? PeakBytes { get; init; }

    /// <summary>Seconds of training so far, resumed parts included.</summary>
    public double? Seconds { get; init; }
}

/// <summary>The JSON of metrics entries, made at compile time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(MetricsEntry))]
internal sealed partial class MetricsJson : JsonSerializerContext;

/// <summary>
/// metrics.jsonl: one JSON object per line and logged step. Every line is handed to the operating system at once, so a killed process loses none.
/// </summary>
public sealed class MetricsLog : IDisposable
{
    private readonly FileStream _stream;
    private readonly List<MetricsEntry> _entries;

    private MetricsLog(FileStream stream, List<MetricsEntry> entries) => (_stream, _entries) = (stream, entries);

    /// <summary>All entries of the file, in order.</summary>
    public IReadOnlyList<MetricsEntry> Entries => _entries;

    /// <summary>Opens the log to append to it.</summary>
    /// <param name="path">The file; made if it is missing.</param>
    /// <param name="resumeStep">The steps the resumed checkpoint has done: later entries, which the run is about to make again, are removed. 0 for a new
    /// run.</param>
    public static MetricsLog Open(string path, long resumeStep = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var kept = File.Exists(path) ? Read(path).Where(e => e.Step <= resumeStep).ToList() : [];
        AtomicFile.Write(path, stream => { foreach (var entry in kept) stream.Write(Line(entry)); });
        var append = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read | FileShare.Delete, bufferSize: 1);
        return new MetricsLog(append, kept);
    }

    /// <summary>The entries of a file; a last line that a killed process left unfinished is skipped.</summary>
    /// <exception cref="FormatError">Another line is not a metrics entry.</exception>
    public static IReadOnlyList<MetricsEntry> Read(string path)
    {
        string[] lines = File.ReadAllLines(path);
        var entries = new List<MetricsEntry>(lines.Length);
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Length == 0) continue;
            try
            {
                if (JsonSerializer.Deserialize(lines[i], MetricsJson.Default.MetricsEntry) is { } entry) entries.Add(entry);
            }
            catch (JsonException error)
            {
                if (i == lines.Length - 1) break;
                throw new FormatError(path, $"line {i + 1} is not a metrics entry ({error.Message.Split('\n')[0]})", "remove the line", error);
            }
        }
        return entries;
    }

    /// <summary>Appends one entry.</summary>
    /// <exception cref="DiskFullError">The volume is full.</exception>
    public void Append(MetricsEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        long before = _stream.Position;
        try
        {
            _stream.Write(Line(entry));
            _stream.Flush();
        }
        catch (IOException error)
        {
            // Half a line would spoil the file for what follows it.
            try { _stream.SetLength(before); } catch (IOException) { }
            if (DiskFullError.Is(error)) throw new DiskFullError(_stream.Name, before, error);
            throw;
        }
        _entries.Add(entry);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _stream.Dispose();

    private static byte[] Line(MetricsEntry entry) => Encoding.UTF8.GetBytes(JsonSerializer.Serialize(entry, MetricsJson.Default.MetricsEntry) + "\n");
}

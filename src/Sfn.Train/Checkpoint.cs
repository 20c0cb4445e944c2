using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Sfn.Autograd;
using Sfn.IO;

namespace Sfn.Train;

/// <summary>
/// Checkpoints: one safetensors file each, so that weights, optimizer state and step can never disagree. Tensors: <c>parameters/NAME</c>,
/// <c>adamw.m/NAME</c>, <c>adamw.v/NAME</c> (F32), <c>adamw.steps</c> (I32). Metadata: the state as JSON and a checksum (CRC-32C) over it and all tensors.
/// </summary>
public static class Checkpoint
{
    private const string Format = "sfn-checkpoint-1";
    private const string Damaged = "the file is damaged or cut off: use another checkpoint of the run";
    private const int Chunk = 1 << 18;

    /// <summary>The last checkpoint of a run.</summary>
    public const string LastFile = "checkpoint.safetensors";

    /// <summary>The one before the last.</summary>
    public const string PreviousFile = "checkpoint.previous.safetensors";

    /// <summary>The weights with the smallest validation loss.</summary>
    public const string BestFile = "best.safetensors";

    /// <summary>The files a model can be loaded from, the preferred first.</summary>
    internal static IReadOnlyList<string> Files { get; } = [BestFile, LastFile, PreviousFile];

    /// <summary>Writes a checkpoint atomically: at any moment <paramref name="path"/> is the old file or the new one, complete.</summary>
    /// <param name="path">The file.</param>
    /// <param name="parameters">The weights.</param>
    /// <param name="optimizer">Its state is written too; null for weights alone.</param>
    /// <param name="state">Step and losses.</param>
    /// <param name="backup">Where the old file is kept, or null.</param>
    /// <exception cref="DiskFullError">The volume is full; the old file is unchanged.</exception>
    public static void Save(string path, IReadOnlyList<Parameter> parameters, Optimizer? optimizer, CheckpointState state, string? backup = null)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(state);
        var tensors = Tensors(parameters, optimizer);
        int[]? steps = optimizer?.StepsInOrder();
        string json = JsonSerializer.Serialize(state, StateJson.Default.CheckpointState);
        byte[] buffer = new byte[Chunk];
        uint sum = Crc(0, Encoding.UTF8.GetBytes(json));
        foreach (var (name, value) in tensors)
        {
            sum = Crc(sum, Encoding.UTF8.GetBytes(name));
            Pieces(value, buffer, piece => sum = Crc(sum, piece));
        }
        if (steps is not null) sum = Crc(sum, MemoryMarshal.AsBytes(steps.AsSpan()));

        var writer = new SafetensorsWriter();
        writer.SetMetadata("format", Format);
        writer.SetMetadata("state", json);
        writer.SetMetadata("crc32c", sum.ToString("x8", CultureInfo.InvariantCulture));
        foreach (var (name, value) in tensors)
            writer.Add(name, "F32", [.. value.Shape.ToArray().Select(size => (long)size)], stream => Pieces(value, buffer, stream.Write));
        if (steps is not null) writer.Add(optimizer!.StepsName, "I32", [steps.Length], MemoryMarshal.AsBytes(steps.AsSpan()).ToArray());
        AtomicFile.Write(path, writer.WriteTo, backup);
    }

    /// <summary>Reads a checkpoint. Everything is checked, the checksum too, before the first value is overwritten.</summary>
    /// <param name="path">The file.</param>
    /// <param name="parameters">The model's parameters.</param>
    /// <param name="optimizer">Its state is read too, if given; the file must have it then.</param>
    /// <param name="config"><see cref="TrainConfig.Hash"/> the checkpoint must have been made with; null for any.</param>
    /// <exception cref="FormatError">Missing, damaged, cut off, not a checkpoint, or one of another model or run; nothing has been overwritten.</exception>
    public static CheckpointState Load(string path, IReadOnlyList<Parameter> parameters, Optimizer? optimizer = null, string? config = null)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        using var file = SafetensorsFile.Open(path);
        var (state, json) = StateOf(file);
        var tensors = Tensors(parameters, optimizer);
        var known = tensors.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, value) in tensors)
        {
            if (!file.TryGet(name, out var entry))
                throw new FormatError(path, $"has no tensor '{name}'", "it belongs to another model: check the run's config.json");
            if (entry.DType != "F32" || !entry.Shape.SequenceEqual(value.Shape.ToArray().Select(size => (long)size)))
            {
                throw new FormatError(path, $"'{name}' is {entry.DType} [{string.Join(", ", entry.Shape)}], the model's is F32 {value.Shape}",
                    "it belongs to another model: check the run's config.json");
            }
        }
        foreach (var entry in file.Entries)
        {
            if (entry.Name.StartsWith("parameters/", StringComparison.Ordinal) && !known.Contains(entry.Name))
                throw new FormatError(path, $"has a tensor '{entry.Name}' that the model does not have",
                    "it belongs to another model: check the run's config.json");
        }
        if (config is not null && state.Config != config)
            throw new FormatError(path, "was made with other settings than the run's config.json says", "restore the run's config.json, or start a new run");
        CheckSum(file, json);
        int[] steps = [];
        if (optimizer is not null)
        {
            if (!file.TryGet(optimizer.StepsName, out var entry) || entry.DType != "I32" || entry.Shape.Count != 1 || entry.Shape[0] != parameters.Count)
                throw new FormatError(path, $"has no tensor '{optimizer.StepsName}' of I32 [{parameters.Count}]",
                    "it holds weights alone: resume from another checkpoint");
            steps = MemoryMarshal.Cast<byte, int>(file.Bytes(optimizer.StepsName)).ToArray();
        }

        foreach (var (name, value) in tensors) Read(file, file[name], value);
        foreach (var parameter in parameters) parameter.MarkChanged();
        optimizer?.SetSteps(steps);
        return state;
    }

    /// <summary>The state of a checkpoint alone; the tensors are not checked.</summary>
    /// <exception cref="FormatError">Missing, damaged or not a checkpoint.</exception>
    public static CheckpointState ReadState(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return StateOf(file).State;
    }

    // Ordinal order of names: the order of the checksum.
    private static List<(string Name, Tensor Value)> Tensors(IReadOnlyList<Parameter> parameters, Optimizer? optimizer)
    {
        var tensors = parameters.Select(p => (Name: "parameters/" + p.Name, p.Value)).ToList();
        if (optimizer is not null) tensors.AddRange(optimizer.Moments);
        tensors.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return tensors;
    }

    private static (CheckpointState State, string Json) StateOf(SafetensorsFile file)
    {
        if (!file.Metadata.TryGetValue("format", out string? format))
            throw new FormatError(file.Path, "is a safetensors file but not a checkpoint of sfn", "check the path");
        if (format != Format)
            throw new FormatError(file.Path, $"has the checkpoint format '{format}', known is {Format}", "use the version of sfn that wrote it");
        if (!file.Metadata.TryGetValue("state", out string? json) || !file.Metadata.ContainsKey("crc32c"))
            throw new FormatError(file.Path, "has no state or checksum", Damaged);
        try
        {
            return (JsonSerializer.Deserialize(json, StateJson.Default.CheckpointState) ?? throw new JsonException("it is null"), json);
        }
        catch (JsonException error) { throw new FormatError(file.Path, "its state cannot be read", Damaged, error); }
    }

    // All tensors of the file count, whichever of them are wanted; the steps, which are no F32, come last.
    private static void CheckSum(SafetensorsFile file, string json)
    {
        uint sum = Crc(0, Encoding.UTF8.GetBytes(json));
        foreach (var entry in file.Entries.Where(e => e.DType == "F32"))
        {
            sum = Crc(sum, Encoding.UTF8.GetBytes(entry.Name));
            sum = Crc(sum, file, entry);
        }
        foreach (var entry in file.Entries.Where(e => e.DType != "F32")) sum = Crc(sum, file, entry);
        if (file.Metadata["crc32c"] != sum.ToString("x8", CultureInfo.InvariantCulture))
            throw new FormatError(file.Path, "its checksum does not agree", Damaged);
    }

    private static unsafe void Read(SafetensorsFile file, SafetensorsEntry entry, Tensor value)
    {
        if (!value.View.TryReshape([(int)value.Count], out var flat)) throw new InvalidOperationException($"{entry.Name} is not dense.");
        byte* from = file.Pointer(entry);
        for (int at = 0; at < value.Count; at += Chunk)
        {
            int count = (int)Math.Min(Chunk, value.Count - at);
            value.Backend.Upload(new ReadOnlySpan<byte>(from + 4L * at, 4 * count), flat.Narrow(0, at, count));
        }
    }

    private delegate void Piece(ReadOnlySpan<byte> bytes);

    private static void Pieces(Tensor value, byte[] buffer, Piece use)
    {
        if (!value.View.TryReshape([(int)value.Count], out var flat)) throw new InvalidOperationException($"A tensor of shape {value.Shape} is not dense.");
        int most = buffer.Length / 4;
        for (int at = 0; at < value.Count; at += most)
        {
            int count = (int)Math.Min(most, value.Count - at);
            value.Backend.Download(flat.Narrow(0, at, count), buffer.AsSpan(0, 4 * count));
            use(buffer.AsSpan(0, 4 * count));
        }
    }

    private static unsafe uint Crc(uint sum, SafetensorsFile file, SafetensorsEntry entry)
    {
        byte* from = file.Pointer(entry);
        for (long at = 0; at < entry.ByteCount; at += 1 << 20) sum = Crc(sum, new ReadOnlySpan<byte>(from + at, (int)Math.Min(1 << 20, entry.ByteCount - at)));
        return sum;
    }

    // CRC-32C in hardware where there is any. Pieces of a tensor are multiples of 8 bytes except the last, so the split does not matter.
    private static uint Crc(uint sum, ReadOnlySpan<byte> bytes)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words) sum = BitOperations.Crc32C(sum, word);
        foreach (byte b in bytes[(8 * words.Length)..]) sum = BitOperations.Crc32C(sum, b);
        return sum;
    }
}

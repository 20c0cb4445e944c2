using System.Text.Json;

namespace Sfn.IO;

/// <summary>Parses and validates a safetensors header: everything is checked here, so that the rest may trust it.</summary>
internal static class SafetensorsHeader
{
    public const long MaximumLength = 100_000_000;
    private const int MaximumRank = 64;
    private const string Damaged = "the file is damaged or not a safetensors file: write or download it again";

    public static (List<SafetensorsEntry> Entries, SortedDictionary<string, string> Metadata) Parse(string file, ReadOnlySpan<byte> json, long dataLength)
    {
        if (json.Length == 0 || json[0] != (byte)'{') throw new FormatError(file, "the header does not begin with '{'", Damaged);
        var entries = new List<SafetensorsEntry>();
        var metadata = new SortedDictionary<string, string>(StringComparer.Ordinal);
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 4 });
            reader.Read();
            var names = new HashSet<string>(StringComparer.Ordinal);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                if (!names.Add(name)) throw new FormatError(file, $"the name '{Shorten(name)}' occurs twice in the header", Damaged);
                reader.Read();
                if (name == "__metadata__") ReadMetadata(file, ref reader, metadata);
                else entries.Add(ReadEntry(file, name, ref reader));
            }
            // Spaces may follow (writers pad with them); the reader throws on anything else.
            while (reader.Read()) { }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new FormatError(file, $"the header is not valid JSON ({FirstLine(error.Message)})", Damaged, error);
        }
        CheckPlaces(file, entries, dataLength);
        return (entries, metadata);
    }

    private static void ReadMetadata(string file, ref Utf8JsonReader reader, SortedDictionary<string, string> metadata)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new FormatError(file, "__metadata__ is not an object", Damaged);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String) throw new FormatError(file, $"the metadata value of '{Shorten(key)}' is not a string", Damaged);
            if (!metadata.TryAdd(key, reader.GetString()!)) throw new FormatError(file, $"the metadata key '{Shorten(key)}' occurs twice", Damaged);
        }
    }

    private static SafetensorsEntry ReadEntry(string file, string name, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new FormatError(file, $"the entry of '{Shorten(name)}' is not an object", Damaged);
        string? dtype = null;
        long[]? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (key == "dtype" && dtype is null && reader.TokenType == JsonTokenType.String) dtype = reader.GetString();
            else if (key == "shape" && shape is null) shape = ReadSizes(file, name, key, ref reader, MaximumRank);
            else if (key == "data_offsets" && offsets is null) offsets = ReadSizes(file, name, key, ref reader, 2);
            else throw new FormatError(file, $"the entry of '{Shorten(name)}' has an unknown, repeated or wrongly typed field '{Shorten(key)}'", Damaged);
        }
        if (dtype is null || shape is null || offsets is not { Length: 2 })
            throw new FormatError(file, $"the entry of '{Shorten(name)}' lacks dtype, shape or two data_offsets", Damaged);
        int bits = SafetensorsDType.Bits(dtype);
        if (bits == 0)
            throw new FormatError(file, $"'{Shorten(name)}' has the unknown dtype '{Shorten(dtype)}'", "convert it to F32, BF16, I32, U16, U8 or BOOL");
        string described = $"'{Shorten(name)}', {dtype} [{string.Join(", ", shape)}],";
        if (!SafetensorsDType.TryByteCount(bits, shape, out long bytes))
            throw new FormatError(file, $"the size of {described} is too large or not a whole number of bytes", Damaged);
        if (offsets[0] > offsets[1] || offsets[1] - offsets[0] != bytes)
            throw new FormatError(file, $"{described} needs {bytes} bytes but its offsets are {offsets[0]} to {offsets[1]}", Damaged);
        return new SafetensorsEntry(name, dtype, shape, offsets[0], bytes);
    }

    private static long[] ReadSizes(string file, string name, string key, ref Utf8JsonReader reader, int most)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw new FormatError(file, $"'{key}' of '{Shorten(name)}' is not an array", Damaged);
        var sizes = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long size) || size < 0)
                throw new FormatError(file, $"'{key}' of '{Shorten(name)}' holds something that is not an integer from 0 to 2^63 - 1", Damaged);
            if (sizes.Count == most) throw new FormatError(file, $"'{key}' of '{Shorten(name)}' has more than {most} values", Damaged);
            sizes.Add(size);
        }
        return [.. sizes];
    }

    // The format wants the tensors to tile the data section: no overlap, no gap, nothing before, nothing behind.
    private static void CheckPlaces(string file, List<SafetensorsEntry> entries, long dataLength)
    {
        var order = entries.OrderBy(e => e.Offset).ThenBy(e => e.ByteCount).ThenBy(e => e.Name, StringComparer.Ordinal);
        long position = 0;
        foreach (var entry in order)
        {
            if (entry.Offset > dataLength || entry.ByteCount > dataLength - entry.Offset)
            {
                Int128 end = entry.Offset + (Int128)entry.ByteCount;
                throw new FormatError(file, $"'{Shorten(entry.Name)}' ends at byte {end} of a data section of {dataLength} bytes",
                    "the file is cut off: write or download it again");
            }
            if (entry.Offset < position)
                throw new FormatError(file, $"'{Shorten(entry.Name)}' overlaps the tensor before it (byte {entry.Offset} < {position})", Damaged);
            if (entry.Offset > position)
                throw new FormatError(file, $"bytes {position} to {entry.Offset} before '{Shorten(entry.Name)}' belong to no tensor", Damaged);
            position += entry.ByteCount;
        }
        if (position != dataLength) throw new FormatError(file, $"the tensors end at byte {position} but the data section has {dataLength} bytes", Damaged);
    }

    private static string Shorten(string text)
    {
        string shown = text.Length <= 80 ? text : text[..80] + "…";
        return string.Concat(shown.Select(c => char.IsControl(c) ? '?' : c));
    }

    private static string FirstLine(string text) => text.Split('\n', 2)[0].Trim();
}

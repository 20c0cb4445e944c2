using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Sfn.IO;

/// <summary>
/// Writes a safetensors file: collect entries with <see cref="Add(string, string, ReadOnlySpan{long}, Action{Stream})"/>, then <see cref="Save"/>.
/// The bytes are produced entry by entry while the file is written, so no second copy of the tensors is needed.
/// </summary>
/// <remarks>
/// The same entries give the same bytes whatever the order of the calls: entries are ordered by element size (largest first, which keeps each aligned to
/// its element) and then by name, as the format's reference library does; the header is padded with spaces to a multiple of 8 bytes.
/// </remarks>
public sealed class SafetensorsWriter
{
    private readonly SortedDictionary<string, (string DType, int Bits, long[] Shape, long Bytes, Action<Stream> Write)> _entries = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, string> _metadata = new(StringComparer.Ordinal);

    /// <summary>Sets one text of the header's metadata.</summary>
    public void SetMetadata(string key, string value)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        _metadata[key] = value;
    }

    /// <summary>Adds a tensor whose bytes (little-endian, row-major) <paramref name="write"/> writes when the file is saved.</summary>
    /// <param name="name">A unique name.</param>
    /// <param name="dtype">F32, F64, BF16, I32, U16, U8, BOOL, ….</param>
    /// <param name="shape">Sizes, outermost first; empty for a scalar.</param>
    /// <param name="write">Must write exactly as many bytes as the shape needs.</param>
    /// <exception cref="ArgumentException">The name is taken, the dtype unknown or the shape impossible.</exception>
    public void Add(string name, string dtype, ReadOnlySpan<long> shape, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(dtype);
        ArgumentNullException.ThrowIfNull(write);
        int bits = SafetensorsDType.Bits(dtype);
        if (bits == 0) throw new ArgumentException($"'{name}': safetensors has no dtype '{dtype}'; use F32, F64, BF16, I32, U16, U8 or BOOL", nameof(dtype));
        if (name == "__metadata__" || _entries.ContainsKey(name))
            throw new ArgumentException($"the name '{name}' is taken; every tensor needs its own", nameof(name));
        if (!SafetensorsDType.TryByteCount(bits, shape, out long bytes))
            throw new ArgumentException($"'{name}': the size of [{string.Join(", ", shape.ToArray())}] overflows or is negative", nameof(shape));
        _entries.Add(name, (dtype, bits, shape.ToArray(), bytes, write));
    }

    /// <summary>Adds a tensor from bytes in memory; see <see cref="Add(string, string, ReadOnlySpan{long}, Action{Stream})"/>.</summary>
    public void Add(string name, string dtype, ReadOnlySpan<long> shape, ReadOnlyMemory<byte> bytes) =>
        Add(name, dtype, shape, stream => stream.Write(bytes.Span));

    /// <summary>Writes the file atomically (<see cref="AtomicFile"/>).</summary>
    /// <exception cref="DiskFullError">The volume is full; the old file is unchanged.</exception>
    public void Save(string path) => AtomicFile.Write(path, WriteTo);

    /// <summary>Writes header and tensors to a stream, in the file's final order.</summary>
    /// <exception cref="InvalidOperationException">A callback wrote more or fewer bytes than its shape needs.</exception>
    public void WriteTo(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var order = _entries.OrderByDescending(e => e.Value.Bits).ThenBy(e => e.Key, StringComparer.Ordinal).ToArray();
        var header = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(header, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (_metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in _metadata) json.WriteString(key, value);
                json.WriteEndObject();
            }
            long position = 0;
            foreach (var (name, entry) in order)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", entry.DType);
                json.WriteStartArray("shape");
                foreach (long size in entry.Shape) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(position);
                json.WriteNumberValue(position = checked(position + entry.Bytes));
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (header.WrittenCount % 8 != 0) header.Write(" "u8);
        if (header.WrittenCount > SafetensorsHeader.MaximumLength)
        {
            throw new InvalidOperationException(
                $"the header has {header.WrittenCount} bytes, the format allows {SafetensorsHeader.MaximumLength}; shorten the metadata");
        }
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.WrittenCount);
        stream.Write(length);
        stream.Write(header.WrittenSpan);
        foreach (var (name, entry) in order)
        {
            var exact = new ExactStream(stream, entry.Bytes, name);
            entry.Write(exact);
            exact.Complete();
        }
    }
}

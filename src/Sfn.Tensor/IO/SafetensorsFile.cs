using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;

namespace Sfn.IO;

/// <summary>
/// A safetensors file, opened lazily: the header is read and checked completely, the tensors stay on disk and are mapped into memory when they are touched.
/// Format: https://huggingface.co/docs/safetensors.
/// </summary>
/// <remarks>
/// Reading is safe from several threads. The file must not be cut shorter while it is open; files replaced by rename (<see cref="AtomicFile"/>) are fine.
/// </remarks>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private const string Damaged = "the file is damaged or not a safetensors file: write or download it again";
    private readonly Dictionary<string, SafetensorsEntry> _byName;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private byte* _data;

    private SafetensorsFile(string path, MemoryMappedFile map, MemoryMappedViewAccessor view, byte* data, List<SafetensorsEntry> entries,
        IReadOnlyDictionary<string, string> metadata)
    {
        Path = path;
        _map = map;
        _view = view;
        _data = data;
        entries.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        Entries = entries;
        Metadata = metadata;
        _byName = entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
    }

    /// <summary>The file's path as given.</summary>
    public string Path { get; }

    /// <summary>All tensors, by name in ordinal order.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The file's text metadata (the header's __metadata__), empty if it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensors' names in ordinal order.</summary>
    public IEnumerable<string> Names => Entries.Select(e => e.Name);

    /// <summary>Opens a file and checks its whole header before anything is used.</summary>
    /// <exception cref="FormatError">The file is missing, unreadable, cut off, damaged or of another format. No other exception escapes.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        MemoryMappedFile? map = null;
        MemoryMappedViewAccessor? view = null;
        bool acquired = false;
        try
        {
            long length;
            using (var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0))
            {
                length = stream.Length;
                if (length < 8) throw new FormatError(path, $"the file has {length} bytes, a safetensors file at least 10", Damaged);
                map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            }
            view = map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            byte* start = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            acquired = true;
            start += view.PointerOffset;
            ulong header = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(start, 8));
            if (header > SafetensorsHeader.MaximumLength)
                throw new FormatError(path, $"the header claims {header} bytes, more than the {SafetensorsHeader.MaximumLength} the format allows", Damaged);
            if (header > (ulong)(length - 8))
                throw new FormatError(path, $"the header claims {header} bytes but the file has only {length - 8} behind its length", Damaged);
            long dataLength = length - 8 - (long)header;
            var (entries, metadata) = SafetensorsHeader.Parse(path, new ReadOnlySpan<byte>(start + 8, (int)header), dataLength);
            return new SafetensorsFile(path, map, view, start + 8 + header, entries, metadata);
        }
        catch (Exception error)
        {
            if (acquired) view!.SafeMemoryMappedViewHandle.ReleasePointer();
            view?.Dispose();
            map?.Dispose();
            if (error is FormatError) throw;
            if (error is FileNotFoundException or DirectoryNotFoundException) throw new FormatError(path, "there is no such file", "check the path", error);
            if (error is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
                throw new FormatError(path, $"cannot be read ({error.Message})", "check that it is a file and that you may read it", error);
            throw;
        }
    }

    /// <summary>Whether the file has a tensor of that name.</summary>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>Finds a tensor by name.</summary>
    public bool TryGet(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SafetensorsEntry? entry) => _byName.TryGetValue(name, out entry);

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="FormatError">There is none; the message names the closest ones.</exception>
    public SafetensorsEntry this[string name]
    {
        get
        {
            if (_byName.TryGetValue(name, out var entry)) return entry;
            var near = Entries.Select(e => e.Name).OrderByDescending(n => CommonPrefix(n, name)).Take(3);
            string fix = Entries.Count == 0 ? "the file is empty" : $"closest: {string.Join(", ", near)}";
            throw new FormatError(Path, $"has no tensor '{name}' among its {Entries.Count}", fix);
        }
    }

    /// <summary>The first byte of a tensor, valid until the file is disposed. Foreign files need not be aligned: use unaligned reads.</summary>
    public byte* Pointer(SafetensorsEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        ObjectDisposedException.ThrowIf(_data == null, this);
        if (!ReferenceEquals(_byName.GetValueOrDefault(entry.Name), entry))
            throw new ArgumentException($"'{entry.Name}' is not an entry of {Path}", nameof(entry));
        return _data + entry.Offset;
    }

    /// <summary>The bytes of a tensor below 2 GiB (little-endian, row-major), valid until the file is disposed.</summary>
    /// <exception cref="FormatError">The tensor has 2 GiB or more, or there is no such tensor.</exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        var entry = this[name];
        if (entry.ByteCount > int.MaxValue) throw new FormatError(Path, $"'{name}' has {entry.ByteCount} bytes, too many for a span", "use Pointer");
        return new ReadOnlySpan<byte>(Pointer(entry), (int)entry.ByteCount);
    }

    /// <summary>Unmaps the file; spans and pointers taken from it die with it.</summary>
    public void Dispose()
    {
        if (_data == null) return;
        _data = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }

    private static int CommonPrefix(string a, string b) => a.AsSpan().CommonPrefixLength(b);
}

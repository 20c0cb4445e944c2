using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Security.Cryptography;
using Sfn.IO;

namespace Sfn.Train;

/// <summary>
/// A sequence of tokens in a memory-mapped file: one byte each for vocabularies up to 256, otherwise two (little-endian). Safe to read from several threads.
/// </summary>
/// <remarks>
/// Layout: "SFNTOK01", vocabulary (int32), bytes per token (int32), count (int64), 8 zero bytes, the tokens, SHA-256 of tokens and header (in this order).
/// Opening checks the hash and every token, so reading needs no further check than the position.
/// </remarks>
public sealed unsafe class TokenFile : IDisposable
{
    internal const int HeaderBytes = 32;
    internal const int HashBytes = 32;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly int _size;
    private byte* _tokens;

    private TokenFile(string path, MemoryMappedFile map, MemoryMappedViewAccessor view, byte* tokens, long count, int size, int vocabulary)
    {
        (Path, _map, _view, Count, _size, VocabularySize) = (path, map, view, count, size, vocabulary);
        _tokens = tokens;
    }

    internal static ReadOnlySpan<byte> Magic => "SFNTOK01"u8;

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Number of tokens.</summary>
    public long Count { get; }

    /// <summary>Tokens are 0 to this minus 1.</summary>
    public int VocabularySize { get; }

    /// <summary>Opens a token file and checks all of it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabularySize">The tokens the model knows; a larger token is an error even if the file's own vocabulary allows it.</param>
    /// <exception cref="InputError">Missing, cut off or damaged file, or a token outside the vocabulary (with its position).</exception>
    public static TokenFile Open(string path, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(path);
        MemoryMappedFile? map = null;
        MemoryMappedViewAccessor? view = null;
        byte* start = null;
        bool done = false;
        try
        {
            long length = new FileInfo(path).Length;
            if (length < HeaderBytes + HashBytes) throw Damaged(path, $"it has only {length} bytes");
            map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            view = map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            byte* bytes = start + view.PointerOffset;
            var header = new ReadOnlySpan<byte>(bytes, HeaderBytes);
            if (!header[..8].SequenceEqual(Magic)) throw Damaged(path, "it does not begin like a token file");
            int vocabulary = BinaryPrimitives.ReadInt32LittleEndian(header[8..]), size = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
            long count = BinaryPrimitives.ReadInt64LittleEndian(header[16..]);
            if (size is not (1 or 2) || vocabulary < 1 || count < 0 || count > length || HeaderBytes + count * size + HashBytes != length)
                throw Damaged(path, $"{count} tokens of {size} bytes do not fit a file of {length} bytes");
            if (!Hash(bytes + HeaderBytes, count * size, header).AsSpan().SequenceEqual(new ReadOnlySpan<byte>(bytes + length - HashBytes, HashBytes)))
                throw Damaged(path, "its checksum does not agree");
            var file = new TokenFile(path, map, view, bytes + HeaderBytes, count, size, vocabulary);
            file.CheckRange(vocabularySize);
            done = true;
            return file;
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputError($"{path}: there is no such token file", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputError($"{path}: the token file cannot be read ({error.Message})", error);
        }
        finally
        {
            if (!done)
            {
                if (start != null) view!.SafeMemoryMappedViewHandle.ReleasePointer();
                view?.Dispose();
                map?.Dispose();
            }
        }
    }

    /// <summary>Reads tokens from <paramref name="offset"/> on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the file.</exception>
    public void Read(long offset, Span<int> destination)
    {
        ObjectDisposedException.ThrowIf(_tokens == null, this);
        if (offset < 0 || offset > Count - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(offset), $"tokens {offset} to {offset + destination.Length} of a file of {Count}: {Path}");
        if (_size == 1)
        {
            byte* from = _tokens + offset;
            for (int i = 0; i < destination.Length; i++) destination[i] = from[i];
        }
        else
        {
            // The header has 32 bytes and the map is page-aligned, so the tokens are aligned.
            ushort* from = (ushort*)_tokens + offset;
            for (int i = 0; i < destination.Length; i++) destination[i] = from[i];
        }
    }

    /// <summary>Unmaps the file.</summary>
    public void Dispose()
    {
        if (_tokens == null) return;
        _tokens = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }

    /// <summary>Throws unless there is at least one window of <paramref name="context"/> tokens and the token after it.</summary>
    internal void NeedsWindow(int context)
    {
        if (Count > context) return;
        throw new InputError(
            $"{Path}: {Count} tokens are fewer than the {context + 1L} that a context of {context} needs; give more text or a smaller --context");
    }

    private void CheckRange(int vocabularySize)
    {
        if (vocabularySize >= 1 << (8 * _size)) return;
        int[] chunk = new int[4096];
        for (long at = 0; at < Count; at += chunk.Length)
        {
            var part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, Count - at));
            Read(at, part);
            for (int i = 0; i < part.Length; i++)
            {
                if (part[i] < vocabularySize) continue;
                throw new InputError($"{Path}: token {part[i]} at position {at + i} lies outside the vocabulary of {vocabularySize}; " +
                    "the data was made for another tokenizer");
            }
        }
    }

    private static byte[] Hash(byte* tokens, long length, ReadOnlySpan<byte> header)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long at = 0; at < length; at += 1 << 24) hash.AppendData(new ReadOnlySpan<byte>(tokens + at, (int)Math.Min(1 << 24, length - at)));
        hash.AppendData(header);
        return hash.GetHashAndReset();
    }

    private static InputError Damaged(string path, string what) =>
        new($"{path}: the token file is damaged ({what}); delete it, it is made again from the data");
}

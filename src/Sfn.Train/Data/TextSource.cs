using System.Text;

namespace Sfn.Train;

/// <summary>A piece of the corpus: bytes from a file or from memory that are known to be text once <see cref="Walk"/> has passed them.</summary>
internal sealed record TextSource(string Name, long Offset, long Length, Func<Stream> Open)
{
    private const int Chunk = 1 << 20;

    public static TextSource FromFile(string path)
    {
        try
        {
            var info = new FileInfo(path);
            if (Directory.Exists(path)) throw new InputError($"{path} is a folder where a text file is needed");
            if (!info.Exists) throw new InputError($"{path}: there is no such file");
            return new TextSource(path, 0, info.Length, () => OpenFile(path));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InputError($"{path}: the file cannot be read ({error.Message})", error);
        }
    }

    public static TextSource FromMemory(string name, byte[] bytes) => new(name, 0, bytes.LongLength, () => new MemoryStream(bytes, writable: false));

    /// <summary>Cuts the source in two at <paramref name="at"/>, or up to three bytes later so that no character is split.</summary>
    public (TextSource First, TextSource Second) Cut(long at)
    {
        at = Guard(() =>
        {
            using var stream = Open();
            stream.Position = Offset + at;
            // 10xxxxxx continues a character.
            while (at < Length && stream.ReadByte() is var next and >= 0 && (next & 0xC0) == 0x80) at++;
            return at;
        });
        return (this with { Length = at }, this with { Offset = Offset + at, Length = Length - at });
    }

    /// <summary>Passes all bytes in chunks that never split a character.</summary>
    /// <exception cref="InputError">The bytes are not text: invalid UTF-8, or a NUL byte.</exception>
    public void Walk(SpanAction visit)
    {
        byte[] buffer = new byte[Chunk];
        int kept = 0;
        long position = 0;
        using var stream = Guard(() => Open());
        Guard(() => stream.Position = Offset);
        while (true)
        {
            int want = (int)Math.Min(buffer.Length - kept, Length - position - kept), start = kept;
            int read = Guard(() => stream.Read(buffer, start, want));
            int filled = kept + read;
            bool last = read == 0;
            int whole = last ? filled : filled - Unfinished(buffer.AsSpan(0, filled));
            var part = buffer.AsSpan(0, whole);
            CheckText(part, Offset + position);
            if (whole > 0) visit(part);
            position += whole;
            kept = filled - whole;
            buffer.AsSpan(whole, kept).CopyTo(buffer);
            if (last) break;
        }
        if (position != Length) throw new InputError($"{Name}: the file became shorter while it was read; try again");
    }

    internal delegate void SpanAction(ReadOnlySpan<byte> bytes);

    // Only reading is guarded, not the visitor: its errors are not this file's.
    private T Guard<T>(Func<T> read)
    {
        try { return read(); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputError($"{Name}: the file cannot be read ({error.Message})", error);
        }
    }

    private static FileStream OpenFile(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);

    // Bytes at the end that begin a character but do not finish it (at most 3).
    private static int Unfinished(ReadOnlySpan<byte> bytes)
    {
        for (int back = 1; back <= Math.Min(3, bytes.Length); back++)
        {
            byte b = bytes[^back];
            if ((b & 0xC0) == 0x80) continue;
            int length = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : b >= 0xC0 ? 2 : 1;
            return length > back ? back : 0;
        }
        return 0;
    }

    private void CheckText(ReadOnlySpan<byte> bytes, long position)
    {
        int nul = bytes.IndexOf((byte)0);
        if (nul < 0 && System.Text.Unicode.Utf8.IsValid(bytes)) return;
        if (nul >= 0) throw new InputError($"{Name} is not text: a NUL byte at position {position + nul}; give a UTF-8 text file");
        int at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out int consumed) == System.Buffers.OperationStatus.Done) at += consumed;
        throw new InputError($"{Name} is not text: invalid UTF-8 at position {position + at} (byte 0x{bytes[at]:X2}); " +
            "give a UTF-8 text file (iconv converts other encodings)");
    }
}

using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Sfn.Train;

/// <summary>Writes a <see cref="TokenFile"/> token by token to a seekable stream.</summary>
public sealed class TokenFileWriter : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Stream _stream;
    private readonly int _vocabulary, _size;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _used;

    /// <summary>Starts a file.</summary>
    /// <param name="stream">Seekable and empty.</param>
    /// <param name="vocabularySize">1 to 65,536.</param>
    public TokenFileWriter(Stream stream, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vocabularySize, 65_536);
        (_stream, _vocabulary, _size) = (stream, vocabularySize, vocabularySize <= 256 ? 1 : 2);
        _stream.Write(new byte[TokenFile.HeaderBytes]);
    }

    /// <summary>Tokens written so far.</summary>
    public long Count { get; private set; }

    /// <summary>Writes one token.</summary>
    /// <exception cref="InputError">The token lies outside the vocabulary.</exception>
    public void Write(int token)
    {
        if ((uint)token >= (uint)_vocabulary) throw new InputError($"token {token} at position {Count} lies outside the vocabulary of {_vocabulary}");
        if (_used + 2 > _buffer.Length) Flush();
        _buffer[_used++] = (byte)token;
        if (_size == 2) _buffer[_used++] = (byte)(token >> 8);
        Count++;
    }

    /// <summary>Writes tokens that are bytes.</summary>
    /// <exception cref="InvalidOperationException">The vocabulary is not that of bytes.</exception>
    public void Write(ReadOnlySpan<byte> tokens)
    {
        if (_vocabulary != 256) throw new InvalidOperationException($"bytes are tokens of a vocabulary of 256, not {_vocabulary}");
        Flush();
        _hash.AppendData(tokens);
        _stream.Write(tokens);
        Count += tokens.Length;
    }

    /// <summary>Writes the header and the checksum; the file is complete then.</summary>
    public void Complete()
    {
        Flush();
        byte[] header = new byte[TokenFile.HeaderBytes];
        TokenFile.Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), _vocabulary);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), _size);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), Count);
        _hash.AppendData(header);
        _stream.Write(_hash.GetHashAndReset());
        long end = _stream.Position;
        _stream.Position = 0;
        _stream.Write(header);
        _stream.Position = end;
    }

    /// <summary>Frees the checksum's state; the stream stays open.</summary>
    public void Dispose() => _hash.Dispose();

    private void Flush()
    {
        _hash.AppendData(_buffer.AsSpan(0, _used));
        _stream.Write(_buffer.AsSpan(0, _used));
        _used = 0;
    }
}

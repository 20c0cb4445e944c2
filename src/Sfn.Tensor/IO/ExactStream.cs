namespace Sfn.IO;

/// <summary>Passes writes on and holds the writer to an exact number of bytes, so that one wrong callback cannot shift all tensors behind it.</summary>
internal sealed class ExactStream(Stream inner, long bytes, string name) : Stream
{
    private long _written;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => _written;
    public override long Position { get => _written; set => throw new NotSupportedException(); }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > bytes - _written)
            throw new InvalidOperationException($"the callback of '{name}' writes {_written + buffer.Length} bytes or more, its shape needs {bytes}");
        inner.Write(buffer);
        _written += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    public override void WriteByte(byte value) => Write([value]);
    public override void Flush() => inner.Flush();
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Throws if too little was written.</summary>
    public void Complete()
    {
        if (_written != bytes) throw new InvalidOperationException($"the callback of '{name}' wrote {_written} bytes, its shape needs {bytes}");
    }
}

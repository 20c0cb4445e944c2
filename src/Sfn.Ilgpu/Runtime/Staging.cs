using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>
/// Page-locked host memory through which small uploads go: they are copied into it and the device fetches them when it gets there, so that a batch does
/// not make the host wait.
/// </summary>
internal sealed class Staging(Accelerator accelerator) : IDisposable
{
    private const int Bytes = 8 << 20, Largest = Bytes / 4;
    private readonly PageLockedArray1D<byte> _ring = accelerator.AllocatePageLocked1D<byte>(Bytes);
    private int _at;

    /// <summary>Queues the copy of <paramref name="from"/> to the start of <paramref name="to"/>; false if it is too large and nothing was done.</summary>
    public bool TryUpload(AcceleratorStream stream, ReadOnlySpan<byte> from, ArrayView<byte> to)
    {
        if (from.Length > Largest) return false;
        if (_at + from.Length > Bytes)
        {
            // What lies at the start may not have been fetched yet.
            stream.Synchronize();
            _at = 0;
        }
        var place = _ring.Span.Slice(_at, from.Length);
        from.CopyTo(place);
        to.CopyFromCPUUnsafeAsync(stream, ref place[0], from.Length);
        _at += (from.Length + 63) & ~63;
        return true;
    }

    /// <summary>The stream is empty: all of the ring is free again.</summary>
    public void Rewind() => _at = 0;

    public void Dispose() => _ring.Dispose();
}

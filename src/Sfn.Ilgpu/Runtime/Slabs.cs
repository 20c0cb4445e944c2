using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>
/// Device memory in slabs: blocks are parts of few large buffers, because asking a driver for memory takes microseconds and giving it back waits
/// for the device. An address is the slab's number and the offset in it, the same on every kind of device.
/// </summary>
internal sealed class Slabs(Accelerator accelerator, long slabBytes) : IDisposable
{
    private const int OffsetBits = 40;
    private const long OffsetMask = (1L << OffsetBits) - 1;
    private readonly Lock _lock = new();
    private readonly List<Slab?> _slabs = [];

    /// <summary>Bytes asked from the driver.</summary>
    public long Reserved { get; private set; }

    /// <summary>An address for <paramref name="bytes"/> bytes; 0 if the device has no more.</summary>
    public nint Allocate(long bytes)
    {
        lock (_lock)
        {
            for (int i = 0; i < _slabs.Count; i++)
                if (_slabs[i] is { } slab && slab.Take(bytes) is >= 0 and var at) return Address(i, at);
            int free = _slabs.IndexOf(null);
            if (free < 0)
            {
                free = _slabs.Count;
                _slabs.Add(null);
            }
            var made = Request(Math.Max(bytes, slabBytes)) ?? Request(bytes);
            if (made is null) return 0;
            _slabs[free] = made;
            return Address(free, made.Take(bytes));
        }
    }

    /// <summary>Takes a block back; a slab that is free as a whole goes back to the driver.</summary>
    public void Free(nint address, long bytes)
    {
        lock (_lock)
        {
            int i = Number(address);
            var slab = _slabs[i]!;
            slab.Return(Offset(address), bytes);
            if (!slab.IsFree) return;
            Reserved -= slab.Bytes;
            slab.Dispose();
            _slabs[i] = null;
        }
    }

    /// <summary><paramref name="bytes"/> bytes at an address plus an offset.</summary>
    public ArrayView<byte> Bytes(nint address, long offset, long bytes) => _slabs[Number(address)]!.View.SubView(Offset(address) + offset, bytes);

    /// <summary>The device's own address, for kernels that take addresses.</summary>
    public nint Native(nint address) => _slabs[Number(address)]!.Native + (nint)Offset(address);

    public void Dispose()
    {
        foreach (var slab in _slabs) slab?.Dispose();
        _slabs.Clear();
    }

    private Slab? Request(long bytes)
    {
        try
        {
            var slab = new Slab(accelerator.Allocate1D<byte>(bytes));
            Reserved += bytes;
            return slab;
        }
        catch (Exception error) when (DriverErrors.IsOutOfMemory(error))
        {
            return null;
        }
    }

    private static nint Address(int slab, long offset) => (nint)(((long)slab + 1) << OffsetBits | offset);

    private static int Number(nint address) => (int)((long)address >> OffsetBits) - 1;

    private static long Offset(nint address) => (long)address & OffsetMask;

    private sealed class Slab(MemoryBuffer1D<byte, Stride1D.Dense> buffer) : IDisposable
    {
        // Free ranges by offset; neighbours are merged.
        private readonly List<(long At, long Bytes)> _free = [(0, buffer.Length)];

        public long Bytes => buffer.Length;

        public nint Native => buffer.NativePtr;

        public ArrayView<byte> View => buffer.View;

        public bool IsFree => _free.Count == 1 && _free[0].Bytes == buffer.Length;

        // The smallest range that is large enough.
        public long Take(long bytes)
        {
            int best = -1;
            for (int i = 0; i < _free.Count; i++)
                if (_free[i].Bytes >= bytes && (best < 0 || _free[i].Bytes < _free[best].Bytes)) best = i;
            if (best < 0) return -1;
            var (at, size) = _free[best];
            if (size == bytes) _free.RemoveAt(best);
            else _free[best] = (at + bytes, size - bytes);
            return at;
        }

        public void Return(long at, long bytes)
        {
            int i = 0;
            while (i < _free.Count && _free[i].At < at) i++;
            _free.Insert(i, (at, bytes));
            if (i + 1 < _free.Count && at + bytes == _free[i + 1].At)
            {
                _free[i] = (at, bytes + _free[i + 1].Bytes);
                _free.RemoveAt(i + 1);
            }
            if (i > 0 && _free[i - 1].At + _free[i - 1].Bytes == at)
            {
                _free[i - 1] = (_free[i - 1].At, _free[i - 1].Bytes + _free[i].Bytes);
                _free.RemoveAt(i);
            }
        }

        public void Dispose() => buffer.Dispose();
    }
}

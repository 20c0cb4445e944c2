using System.Collections.Concurrent;

namespace Sfn.Backends;

/// <summary>
/// Keeps freed blocks of one device for reuse: best fit, but never a block much larger than the request (MLX's bound), so that a
/// training loop allocates nothing after its second step and the cache stays small.
/// </summary>
public sealed class CachingAllocator
{
    private const int Granularity = 512;
    private const long Slack = 2 << 20;
    private readonly IBackend _backend;
    private readonly Lock _lock = new();
    private readonly List<Bin> _bins = new(64);               // free blocks by size, ascending
    private readonly ConcurrentQueue<Storage> _orphans = new();

    /// <summary>An empty cache over <paramref name="backend"/>'s memory.</summary>
    public CachingAllocator(IBackend backend) => _backend = backend;

    internal IBackend Backend => _backend;

    internal Device Device => _backend.Device;

    /// <summary>Bytes in blocks that are in use.</summary>
    public long LiveBytes { get; private set; }

    /// <summary>Largest <see cref="LiveBytes"/> since <see cref="ResetPeak"/>.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Bytes in free blocks that wait for reuse.</summary>
    public long CachedBytes { get; private set; }

    /// <summary>Largest sum of live and cached bytes: what the device had to provide.</summary>
    public long PeakReservedBytes { get; private set; }

    /// <summary>Blocks that had to be asked from the device, ever. Constant in a steady training loop.</summary>
    public long Allocations { get; private set; }

    /// <summary>Upper bound of <see cref="CachedBytes"/>; larger caches are trimmed, largest blocks first. Default: no bound.</summary>
    public long CacheLimit { get; set; } = long.MaxValue;

    /// <summary>A block of at least <paramref name="bytes"/> bytes, contents undefined, without owner yet.</summary>
    /// <exception cref="OutOfDeviceMemory">The device has too little memory, even after the cache was emptied.</exception>
    public Storage Rent(long bytes)
    {
        long size = Math.Max(Granularity, (bytes + Granularity - 1) / Granularity * Granularity);
        lock (_lock)
        {
            if (!_orphans.IsEmpty) Adopt();
            var storage = TakeFree(size) ?? new Storage(this, Request(size), size);
            storage.Begin();
            storage.Op = Ops.Op.Current;
            storage.Module = ModulePath.Current;
            LiveBytes += storage.Bytes;
            PeakBytes = Math.Max(PeakBytes, LiveBytes);
            PeakReservedBytes = Math.Max(PeakReservedBytes, LiveBytes + CachedBytes);
            Memory.Count(storage, +1);
            return storage;
        }
    }

    internal void Return(Storage storage)
    {
        lock (_lock) TakeBack(storage);
    }

    // Called by the finalizer thread: no device call, no lock that a device call could hold.
    internal void Orphan(Storage storage) => _orphans.Enqueue(storage);

    /// <summary>Gives all cached blocks back to the device.</summary>
    public void Trim()
    {
        lock (_lock)
        {
            Adopt();
            Shrink(0);
        }
    }

    /// <summary>Starts a new peak measurement.</summary>
    public void ResetPeak()
    {
        lock (_lock)
        {
            PeakBytes = LiveBytes;
            PeakReservedBytes = LiveBytes + CachedBytes;
        }
    }

    private void Adopt()
    {
        while (_orphans.TryDequeue(out var orphan))
        {
            GC.ReRegisterForFinalize(orphan);
            TakeBack(orphan);
        }
    }

    private void TakeBack(Storage storage)
    {
        Memory.Count(storage, -1);
        LiveBytes -= storage.Bytes;
        CachedBytes += storage.Bytes;
        int i = LowerBound(storage.Bytes);
        if (i == _bins.Count || _bins[i].Bytes != storage.Bytes) _bins.Insert(i, new Bin(storage.Bytes));
        _bins[i].Free.Push(storage);
        if (CachedBytes > CacheLimit) Shrink(CacheLimit);
    }

    private void Shrink(long limit)
    {
        for (int i = _bins.Count - 1; i >= 0 && CachedBytes > limit; i--)
        {
            while (CachedBytes > limit && _bins[i].Free.TryPop(out var storage))
            {
                CachedBytes -= storage.Bytes;
                _backend.Free(storage.Pointer, storage.Bytes);
                storage.Pointer = 0;
                GC.SuppressFinalize(storage);
            }
            if (_bins[i].Free.Count == 0) _bins.RemoveAt(i);
        }
    }

    private Storage? TakeFree(long size)
    {
        long limit = Math.Min(2 * size, size + Slack);
        for (int i = LowerBound(size); i < _bins.Count && _bins[i].Bytes <= limit; i++)
        {
            if (!_bins[i].Free.TryPop(out var storage)) continue;
            CachedBytes -= storage.Bytes;
            return storage;
        }
        return null;
    }

    private nint Request(long size)
    {
        Allocations++;
        nint pointer = _backend.Allocate(size);
        if (pointer == 0)
        {
            Shrink(0);
            Memory.CollectGarbage();
            Adopt();
            Shrink(0);
            pointer = _backend.Allocate(size);
        }
        if (pointer != 0) return pointer;
        throw new OutOfDeviceMemory(
            $"{_backend.Device} has no {Memory.Format(size)} left: {Memory.Format(LiveBytes)} are in use. " +
            $"Largest users: {Memory.LargestOwners(3)}. A smaller batch or context needs less.");
    }

    private int LowerBound(long size)
    {
        int low = 0, high = _bins.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_bins[middle].Bytes < size) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private sealed class Bin(long bytes)
    {
        public long Bytes { get; } = bytes;

        public Stack<Storage> Free { get; } = new();
    }
}

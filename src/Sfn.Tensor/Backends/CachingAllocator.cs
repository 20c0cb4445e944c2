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
    private readonly FreeBlocks _free = new();
    private readonly ConcurrentQueue<Storage> _orphans = new();
    private PrivatePool? _private;                              // of the capture that runs now
    private int _privateThread;

    /// <summary>An empty cache over <paramref name="backend"/>'s memory.</summary>
    public CachingAllocator(IBackend backend) => _backend = backend;

    internal IBackend Backend => _backend;

    internal Device Device => _backend.Device;

    /// <summary>Bytes in blocks that are in use, and all that private pools hold.</summary>
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
            var pool = _private is { } current && _privateThread == Environment.CurrentManagedThreadId ? current : null;
            var storage = (pool?.Free ?? _free).Take(size);
            // What a private pool holds counts as live, free or not.
            if (storage is not null) CachedBytes -= pool is null ? storage.Bytes : 0;
            else storage = new Storage(this, Request(size), size) { Pool = pool };
            storage.Begin();
            storage.Op = Ops.Op.Current;
            storage.Module = ModulePath.Current;
            LiveBytes += pool is null || pool.Add(storage) ? storage.Bytes : 0;
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

    /// <summary>
    /// From now on this thread's requests are served from a pool of its own, until <see cref="EndPrivate"/>: for work that will be replayed at the same
    /// addresses. Blocks of the pool return to it alone. Requests of other threads are not affected.
    /// </summary>
    /// <param name="pool">A pool of this allocator to go on with; null for a new one.</param>
    /// <returns>The pool; dispose it when nothing will be replayed any more.</returns>
    /// <exception cref="InvalidOperationException">There is an open one already, or it is disposed.</exception>
    public PrivatePool BeginPrivate(PrivatePool? pool = null)
    {
        lock (_lock)
        {
            if (_private is not null) throw new InvalidOperationException($"Work on {Device} is being captured already; captures do not nest.");
            if (pool is not null && (pool.Owner != this || pool.IsDisposed))
                throw new InvalidOperationException("This pool is disposed, or belongs to another device.");
            _privateThread = Environment.CurrentManagedThreadId;
            return _private = pool ?? new PrivatePool(this);
        }
    }

    /// <summary>Ends what <see cref="BeginPrivate"/> began. The pool's blocks, used and free, stay its own.</summary>
    /// <exception cref="InvalidOperationException">None is open on this thread.</exception>
    public void EndPrivate()
    {
        lock (_lock)
        {
            if (_private is null || _privateThread != Environment.CurrentManagedThreadId)
                throw new InvalidOperationException("No private pool is open on this thread.");
            _private = null;
        }
    }

    // Free blocks go to the common cache; those in use follow when they are freed.
    internal void Dissolve(PrivatePool pool)
    {
        lock (_lock)
        {
            if (_private == pool) _private = null;
            Adopt();
            foreach (var storage in pool.Blocks) storage.Pool = null;
            while (pool.Free.TakeLargest() is { } storage)
            {
                LiveBytes -= storage.Bytes;
                Cache(storage);
            }
            pool.Blocks.Clear();
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
        if (storage.Pool is { } pool)
        {
            pool.Free.Put(storage);
            return;
        }
        LiveBytes -= storage.Bytes;
        Cache(storage);
    }

    private void Cache(Storage storage)
    {
        CachedBytes += storage.Bytes;
        _free.Put(storage);
        if (CachedBytes > CacheLimit) Shrink(CacheLimit);
    }

    private void Shrink(long limit)
    {
        while (CachedBytes > limit && _free.TakeLargest() is { } storage)
        {
            CachedBytes -= storage.Bytes;
            _backend.Free(storage.Pointer, storage.Bytes);
            storage.Pointer = 0;
            GC.SuppressFinalize(storage);
        }
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
}

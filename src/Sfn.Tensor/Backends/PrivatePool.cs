namespace Sfn.Backends;

/// <summary>
/// Memory that belongs to captured work: what it allocated, used or free. Nobody else gets it until the pool is disposed. See
/// <see cref="CachingAllocator.BeginPrivate"/>.
/// </summary>
public sealed class PrivatePool : IDisposable
{
    internal PrivatePool(CachingAllocator owner) => Owner = owner;

    internal CachingAllocator Owner { get; }

    internal bool IsDisposed { get; private set; }

    internal FreeBlocks Free { get; } = new();

    internal HashSet<Storage> Blocks { get; } = [];

    /// <summary>Bytes of all blocks, used or free.</summary>
    public long Bytes { get; private set; }

    /// <summary>Gives the free blocks to the device's common cache; those in use follow as they are freed. Nothing may be replayed afterwards.</summary>
    public void Dispose()
    {
        if (IsDisposed) return;
        IsDisposed = true;
        Owner.Dissolve(this);
    }

    internal bool Add(Storage storage)
    {
        if (!Blocks.Add(storage)) return false;
        Bytes += storage.Bytes;
        return true;
    }
}

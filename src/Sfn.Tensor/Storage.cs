using Sfn.Backends;

namespace Sfn;

/// <summary>
/// A block of device memory with reference-counted owners: scopes, tape nodes, gradient slots. It goes back to the allocator's cache
/// the moment the last owner lets go. Blocks made outside any scope belong to the garbage collector.
/// </summary>
/// <remarks>A block object is reused together with its memory; <see cref="Generation"/> tells handles of an earlier life apart.</remarks>
public sealed class Storage
{
    private int _owners;
    private bool _collected;
    private string? _freedBy;

    internal Storage(CachingAllocator allocator, nint pointer, long bytes)
    {
        Allocator = allocator;
        Pointer = pointer;
        Bytes = bytes;
    }

    internal CachingAllocator Allocator { get; }

    /// <summary>Device address, 64-byte aligned.</summary>
    public nint Pointer { get; internal set; }

    /// <summary>Size of the block, which may exceed what was asked for.</summary>
    public long Bytes { get; }

    /// <summary>Grows with every reuse of the block.</summary>
    internal int Generation { get; private set; }

    /// <summary>Grows with every change of the contents after creation; the tape compares it.</summary>
    public int Version { get; internal set; }

    /// <summary>The captured work that the block belongs to, or null.</summary>
    internal PrivatePool? Pool { get; set; }

    /// <summary>Op and module that asked for the memory, for reports.</summary>
    internal string Op { get; set; } = "";

    internal string Module { get; set; } = "";

    /// <summary>The period of <see cref="Memory.Tracking"/> whose report counts this use of the block.</summary>
    internal int CountedIn { get; set; }

    /// <summary>Whether exactly one owner holds the block, so that it may be overwritten by that owner.</summary>
    internal bool IsExclusive => Volatile.Read(ref _owners) == 1 && !_collected;

    internal bool InUse => _owners > 0 || _collected;

    internal void Begin()
    {
        _owners = 0;
        _collected = false;
    }

    internal void Retain() => Interlocked.Increment(ref _owners);

    internal void Release(string owner)
    {
        int left = Interlocked.Decrement(ref _owners);
        if (left > 0 || _collected) return;
        if (left < 0) throw new InvalidOperationException($"Storage of {Bytes} bytes was released once too often, by {owner}.");
        _freedBy = owner;
        Free();
    }

    /// <summary>Leaves the block to the garbage collector: it is freed when nothing refers to it any more.</summary>
    internal void Collect() => _collected = true;

    internal DeadTensor Dead(in Shape shape) => new(
        $"This tensor of shape {shape} was freed when {_freedBy ?? "its scope"} closed. Return it from the scope (scope.Return) or keep it (tensor.Keep()).");

    private void Free()
    {
        Generation++;
        Allocator.Return(this);
    }

    /// <summary>
    /// Only for blocks the garbage collector owns, and as the alarm for a scope that was never closed. Device calls are not made
    /// here: the block is queued and its allocator takes it back on the next request.
    /// </summary>
    ~Storage()
    {
        if (Pointer == 0) return;
        if (!_collected) Memory.Leak(this);
        _freedBy = "the garbage collector";
        Generation++;
        Allocator.Orphan(this);
    }
}

namespace Sfn.Backends.Cpu;

/// <summary>
/// Per-thread scratch for nested uses of any number: the block taken last is given back first, and serves the next use at the same depth. Kept apart from
/// tensors' memory, whose cache would hand the blocks to activations of half their size.
/// </summary>
internal sealed unsafe class CpuArena
{
    [ThreadStatic] private static CpuArena? t_mine;
    private readonly List<Storage> _blocks = [];
    private int _depth;

    /// <summary>A block of at least that many bytes, contents undefined, until the matching <see cref="Return"/> on the same thread.</summary>
    public static Storage Rent(CachingAllocator allocator, long bytes)
    {
        var mine = t_mine ??= new CpuArena();
        int i = mine._depth++;
        if (i < mine._blocks.Count && mine._blocks[i].Bytes >= bytes) return mine._blocks[i];
        long size = Math.Max(Math.Max(bytes, 64), i < mine._blocks.Count ? mine._blocks[i].Bytes * 3 / 2 : 0);
        if (i < mine._blocks.Count)
        {
            Free(mine._blocks[i]);
            mine._blocks.RemoveAt(i);
        }
        try
        {
            // It has no owners to count, and the arena frees it.
            var block = new Storage(allocator, (nint)HostMemory.Allocate(size), size);
            GC.SuppressFinalize(block);
            mine._blocks.Insert(i, block);
            return block;
        }
        catch
        {
            mine._depth--;
            throw;
        }
    }

    /// <summary>Gives back the block rented last.</summary>
    public static void Return() => t_mine!._depth--;

    private static void Free(Storage block)
    {
        HostMemory.Free((void*)block.Pointer);
        block.Pointer = 0;
    }

    ~CpuArena()
    {
        foreach (var block in _blocks) Free(block);
    }
}

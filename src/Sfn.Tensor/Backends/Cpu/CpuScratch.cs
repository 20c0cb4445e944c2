namespace Sfn.Backends.Cpu;

/// <summary>What a scratch buffer is for: buffers of different use may be held at once by one thread.</summary>
internal enum ScratchUse
{
    GemmA,
    GemmB,
    GemmTile,
    Attention,
    Rows,
    Partials,
    Count,
}

/// <summary>Per-thread working memory of the CPU kernels: 64-byte aligned, grown on demand, reused for the life of the thread.</summary>
internal sealed unsafe class CpuScratch
{
    [ThreadStatic] private static CpuScratch? t_mine;
    private readonly nint[] _pointers = new nint[(int)ScratchUse.Count];
    private readonly long[] _floats = new long[(int)ScratchUse.Count];
    private readonly List<Storage> _nested = [];
    private int _depth;

    /// <summary>At least <paramref name="floats"/> floats with undefined contents, valid until the next call for the same use on this thread.</summary>
    public static float* Rent(ScratchUse use, long floats)
    {
        var mine = t_mine ??= new CpuScratch();
        int i = (int)use;
        if (mine._floats[i] < floats)
        {
            long size = Math.Max(floats, mine._floats[i] * 3 / 2) + 64;
            nint old = mine._pointers[i];
            // Forgotten before the request, which may throw: a freed buffer must not be handed out again.
            (mine._pointers[i], mine._floats[i]) = (0, 0);
            if (old != 0) HostMemory.Free((void*)old);
            mine._pointers[i] = (nint)HostMemory.Allocate(size * sizeof(float));
            mine._floats[i] = size;
        }
        return (float*)mine._pointers[i];
    }

    /// <summary>
    /// A block of at least that many bytes, contents undefined, until the matching <see cref="Pop"/> on this thread; each depth has a block of its own. Not
    /// from the tensors' memory: its cache would hand such a block to an activation of half the size.
    /// </summary>
    public static Storage Push(CachingAllocator allocator, long bytes)
    {
        var mine = t_mine ??= new CpuScratch();
        int i = mine._depth;
        if (i == mine._nested.Count || mine._nested[i].Bytes < bytes)
        {
            long size = Math.Max(bytes, i < mine._nested.Count ? mine._nested[i].Bytes * 3 / 2 : 64);
            if (i < mine._nested.Count)
            {
                Free(mine._nested[i]);
                mine._nested.RemoveAt(i);
            }
            var block = new Storage(allocator, (nint)HostMemory.Allocate(size), size);
            GC.SuppressFinalize(block);
            mine._nested.Insert(i, block);
        }
        mine._depth++;
        return mine._nested[i];
    }

    /// <summary>Gives back the block taken last.</summary>
    public static void Pop() => t_mine!._depth--;

    private static void Free(Storage block)
    {
        HostMemory.Free((void*)block.Pointer);
        block.Pointer = 0;
    }

    ~CpuScratch()
    {
        foreach (var block in _nested) Free(block);
        foreach (nint pointer in _pointers)
            if (pointer != 0) HostMemory.Free((void*)pointer);
    }
}

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

    ~CpuScratch()
    {
        foreach (nint pointer in _pointers)
            if (pointer != 0) HostMemory.Free((void*)pointer);
    }
}

namespace Sfn.Backends.Cpu;

/// <summary>Work on a range of items that may be cut anywhere.</summary>
internal interface IRangeKernel
{
    void Range(long begin, long count);
}

/// <summary>Runs a kernel over fixed chunks on the pool. Chunks do not depend on the number of threads, so neither do results.</summary>
internal static class Chunked
{
    /// <summary>Elements of a chunk: three streams of it fit in a core's L2.</summary>
    public const long Elements = 16384;

    /// <summary>Rows of a chunk, for rows of <paramref name="columns"/> elements.</summary>
    public static long Rows(long columns) => Math.Max(1, Elements / Math.Max(1, columns));

    /// <summary>Runs <paramref name="kernel"/> over <paramref name="items"/> items; two chunks or fewer on the caller alone.</summary>
    public static void Run<TKernel>(in TKernel kernel, long items, long chunk) where TKernel : struct, IRangeKernel
    {
        if (items <= 0) return;
        if (items <= 2 * chunk) kernel.Range(0, items);
        else ChunkJob<TKernel>.Run(kernel, items, chunk);
    }

    /// <summary>Runs every chunk by itself on the pool, for items that are large each.</summary>
    public static void RunEach<TKernel>(in TKernel kernel, long items) where TKernel : struct, IRangeKernel
    {
        if (items == 1) kernel.Range(0, 1);
        else if (items > 1) ChunkJob<TKernel>.Run(kernel, items, 1);
    }
}

/// <summary>One per thread and kernel type, so that a call allocates nothing.</summary>
internal sealed class ChunkJob<TKernel> : CpuJob where TKernel : struct, IRangeKernel
{
    [ThreadStatic] private static ChunkJob<TKernel>? t_idle;
    private TKernel _kernel;
    private long _items, _chunk;

    public static void Run(in TKernel kernel, long items, long chunk)
    {
        // Taken while it runs: a kernel that starts another one of its own type gets a new job.
        var job = t_idle ?? new ChunkJob<TKernel>();
        t_idle = null;
        job._kernel = kernel;
        job._items = items;
        job._chunk = chunk;
        CpuPool.Run(job, checked((int)((items + chunk - 1) / chunk)));
        t_idle = job;
    }

    public override void Run(int chunk)
    {
        long begin = chunk * _chunk;
        _kernel.Range(begin, Math.Min(_chunk, _items - begin));
    }
}

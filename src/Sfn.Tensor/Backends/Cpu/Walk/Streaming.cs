using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Writing past the caches. An ordinary store first reads the cache line that it will overwrite, so a pass that reads one array and writes
/// another moves three streams for two. Non-temporal stores write whole lines without reading them. They pay only where the result is larger
/// than the last-level cache: what the next op would still have found there, it would have to fetch from memory again.
/// </summary>
internal static class Streaming
{
    private const long DefaultCache = 32 << 20;

    /// <summary>Elements of a chunk: large enough that the start of a stream costs nothing.</summary>
    public const long Chunk = 1 << 19;

    /// <summary>Columns up to which a row, the one to come and two results of such rows stay in the second-level cache together.</summary>
    public const int LongestAhead = 1 << 16;

    /// <summary>Floats of a cache line, the unit and the alignment of streamed stores.</summary>
    public const int Line = 16;

    /// <summary>Rows of fewer columns are not streamed.</summary>
    private const long ShortestRow = 256;

    /// <summary>Results of more bytes than this are streamed: the size of the last-level cache.</summary>
    public static long Threshold { get; set; } = LastLevelCache();

    /// <summary>Whether a result of <paramref name="floats"/> elements, none of which is read before, is better written past the caches.</summary>
    public static bool Pays(long floats) => floats * sizeof(float) > Threshold;

    /// <summary>The same for a result whose rows are written one by one: short ones have too many lines that are not whole.</summary>
    public static bool Pays(long floats, long columns) => columns >= ShortestRow && Pays(floats);

    /// <summary>How many of <paramref name="n"/> elements come before the first whole line of <paramref name="y"/>.</summary>
    public static unsafe long Head(float* y, long n) => Math.Min(n, -((nint)y >> 2) & (Line - 1));

    /// <summary>Makes streamed stores visible before whatever this thread stores next: plain stores do not order them.</summary>
    public static void Fence()
    {
        if (Sse.IsSupported) Sse.StoreFence();
    }

    /// <summary>Asks for the lines of a lane that will be read soon; an address past the end does no harm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Fetch<L>(float* lane) where L : struct, IVectorLane<L>
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch1(lane);
        if (L.Width > Line) Sse.Prefetch1(lane + Line);
        if (L.Width <= 2 * Line) return;
        Sse.Prefetch1(lane + 2 * Line);
        Sse.Prefetch1(lane + 3 * Line);
    }

    // CPUID's list of caches (leaf 4; AMD's has the same form); elsewhere, and where a virtual machine hides it, a usual size. Very large
    // caches are shared with other programs.
    private static long LastLevelCache()
    {
        long size = 0;
        if (X86Base.IsSupported)
        {
            foreach (int leaf in (ReadOnlySpan<int>)[4, unchecked((int)0x8000001D)])
            {
                if ((uint)X86Base.CpuId(leaf & int.MinValue, 0).Eax < (uint)leaf) continue;
                for (int index = 0; index < 8; index++)
                {
                    var (eax, ebx, ecx, _) = X86Base.CpuId(leaf, index);
                    if ((eax & 31) == 0) break;
                    size = Math.Max(size, (1L + (ebx >>> 22)) * (1 + (ebx >> 12 & 1023)) * (1 + (ebx & 4095)) * (1L + (uint)ecx));
                }
            }
        }
        return size == 0 ? DefaultCache : Math.Clamp(size, 8 << 20, 64 << 20);
    }
}

/// <summary>How a walker writes its result: a type, so that each way has a loop of its own.</summary>
internal interface IStore
{
    static abstract bool Streams { get; }

    static abstract unsafe void Put<L>(L value, float* to) where L : struct, IVectorLane<L>;
}

/// <summary>Into the caches, at any address.</summary>
internal readonly struct Cached : IStore
{
    public static bool Streams => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Put<L>(L value, float* to) where L : struct, IVectorLane<L> => value.Store(to);
}

/// <summary>Past the caches, to whole lines.</summary>
internal readonly struct Streamed : IStore
{
    public static bool Streams => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Put<L>(L value, float* to) where L : struct, IVectorLane<L> => value.StoreNonTemporal(to);
}

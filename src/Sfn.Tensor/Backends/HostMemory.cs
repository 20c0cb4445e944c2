using System.Runtime.InteropServices;

namespace Sfn.Backends;

/// <summary>
/// Native memory for tensors and kernel scratch. Large blocks ask Linux for pages of 2 MiB: products and passes that walk over many
/// rows would otherwise spend up to 7 % of their time looking up pages of 4 KiB.
/// </summary>
internal static unsafe partial class HostMemory
{
    private const nuint HugePage = 2 << 20;
    private const int Line = 64, AdviseHugePage = 14;   // MADV_HUGEPAGE
    private static bool s_advise = OperatingSystem.IsLinux();

    /// <summary>At least <paramref name="bytes"/> bytes with undefined contents on a cache line's boundary.</summary>
    /// <exception cref="OutOfMemoryException">The system has no more memory.</exception>
    public static void* Allocate(long bytes)
    {
        if (!s_advise || (nuint)bytes < 2 * HugePage) return NativeMemory.AlignedAlloc((nuint)bytes, Line);
        void* block = NativeMemory.AlignedAlloc((nuint)bytes, HugePage);
        try
        {
            // Whole pages only: the rest of the last one may belong to another block. A refusal changes nothing but speed.
            _ = Advise(block, (nuint)bytes & ~(HugePage - 1), AdviseHugePage);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            s_advise = false;
        }
        return block;
    }

    /// <summary>Frees what <see cref="Allocate"/> gave.</summary>
    public static void Free(void* block) => NativeMemory.AlignedFree(block);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint bytes, int advice);
}

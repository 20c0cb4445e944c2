namespace Sfn.CudaEmulator;

/// <summary>The allocations of global memory that kernels may touch, as ranges of addresses of this process.</summary>
public sealed class MemoryMap
{
    private readonly ulong[] _begins, _ends;

    /// <param name="ranges">First byte and end of every allocation, in any order, not overlapping.</param>
    public MemoryMap(IEnumerable<(ulong Begin, ulong End)> ranges)
    {
        var sorted = ranges.OrderBy(range => range.Begin).ToArray();
        _begins = [.. sorted.Select(range => range.Begin)];
        _ends = [.. sorted.Select(range => range.End)];
    }

    /// <summary>The allocation around an address.</summary>
    internal bool Find(ulong address, out ulong begin, out ulong end)
    {
        int at = Array.BinarySearch(_begins, address);
        if (at < 0) at = ~at - 1;
        (begin, end) = at >= 0 ? (_begins[at], _ends[at]) : (0, 0);
        return at >= 0 && address < end;
    }
}

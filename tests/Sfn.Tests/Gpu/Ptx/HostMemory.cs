using System.Runtime.InteropServices;
using global::Sfn.CudaEmulator;

namespace Sfn.Tests.Gpu.Ptx;

/// <summary>Memory for the interpreter: allocations with exact ends, at addresses of a chosen alignment.</summary>
internal sealed unsafe class HostMemory : IDisposable
{
    private readonly List<(ulong Begin, ulong End)> _ranges = [];
    private readonly List<nint> _blocks = [];

    /// <summary><paramref name="bytes"/> bytes, <paramref name="shift"/> bytes beyond a multiple of 256.</summary>
    public ulong Allocate(long bytes, int shift = 0)
    {
        var block = (nint)NativeMemory.AlignedAlloc((nuint)(bytes + shift + 256), 256);
        _blocks.Add(block);
        ulong begin = (ulong)block + (ulong)shift;
        _ranges.Add((begin, begin + (ulong)bytes));
        return begin;
    }

    /// <summary>Memory of somebody else's.</summary>
    public void Adopt(ulong begin, long bytes)
    {
        if (!_ranges.Contains((begin, begin + (ulong)bytes))) _ranges.Add((begin, begin + (ulong)bytes));
    }

    /// <summary>The bytes at an address, which must be aligned and inside one allocation.</summary>
    public Span<byte> At(ulong address, int bytes, int alignment, string who)
    {
        Assert.True(address % (ulong)alignment == 0, $"{who}: address {address:X} is not a multiple of {alignment}");
        bool inside = _ranges.Exists(r => address >= r.Begin && address + (ulong)bytes <= r.End);
        Assert.True(inside, $"{who}: {bytes} bytes at {address:X} are outside of every allocation");
        return new((void*)address, bytes);
    }

    /// <summary>All of them, for a launch.</summary>
    public MemoryMap Map() => new(_ranges);

    public void Dispose()
    {
        foreach (nint block in _blocks) NativeMemory.AlignedFree((void*)block);
    }
}

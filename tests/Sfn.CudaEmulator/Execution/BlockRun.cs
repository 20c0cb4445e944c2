using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sfn.CudaEmulator.Execution;

/// <summary>One thread block: its warps take turns, each as far as it can go. Used again for further blocks of a launch.</summary>
internal sealed unsafe class BlockRun
{
    private readonly LaunchShape _shape;
    private readonly PtxKernel _kernel;
    private readonly Warp[] _warps;
    private readonly byte[] _shared, _parameters;

    public BlockRun(PtxKernel kernel, in LaunchShape shape, byte[] parameters, MemoryMap memory, Statistics? statistics)
    {
        (_kernel, _shape, Memory, Statistics) = (kernel, shape, memory, statistics);
        // Accesses of 16 bytes are checked by offset; both arrays begin at multiples of 16 all the same, for loads of vectors.
        _shared = GC.AllocateUninitializedArray<byte>(kernel.SharedBytes + shape.DynamicShared + 32, pinned: true);
        Shared = (byte*)(((nint)Unsafe.AsPointer(ref _shared[0]) + 15) & ~15);
        SharedBytes = kernel.SharedBytes + shape.DynamicShared;
        if (SharedBytes > 0 && shape.BlockX * shape.BlockY * shape.BlockZ > 32) Races = new RaceCheck(SharedBytes);
        _parameters = GC.AllocateUninitializedArray<byte>(parameters.Length + 1, pinned: true);
        parameters.CopyTo(_parameters, 0);
        Parameters = (byte*)Unsafe.AsPointer(ref _parameters[0]);
        ParameterBytes = parameters.Length;
        int threads = shape.BlockX * shape.BlockY * shape.BlockZ;
        _warps = [.. Enumerable.Range(0, (threads + 31) / 32).Select(index => new Warp(kernel, this, index, threads - 32 * index))];
        foreach (var warp in _warps) FillSpecials(warp);
    }

    public MemoryMap Memory { get; }

    public Statistics? Statistics { get; }

    public byte* Shared { get; }

    public int SharedBytes { get; }

    /// <summary>Null if the block has no shared memory, or one warp only.</summary>
    public RaceCheck? Races { get; }

    public byte* Parameters { get; }

    public int ParameterBytes { get; }

    /// <summary>Instructions that one warp may execute in all blocks, a bound against kernels that do not end.</summary>
    public long Budget => 1L << 40;

    public string Name { get; private set; } = "";

    public long Executed => _warps.Sum(warp => warp.Executed);

    public void Run(long block)
    {
        long x = block % _shape.GridX, y = block / _shape.GridX % _shape.GridY, z = block / _shape.GridX / _shape.GridY;
        Name = $"({x}, {y}, {z})";
        MemoryMarshal.Cast<byte, uint>(_shared.AsSpan()).Fill(AddressSpaces.Garbage);
        foreach (var warp in _warps)
        {
            warp.Begin();
            Set(warp, "%ctaid.x", x);
            Set(warp, "%ctaid.y", y);
            Set(warp, "%ctaid.z", z);
        }
        while (true)
        {
            Races?.NextPhase();
            bool alive = false, waiting = false, left = false;
            foreach (var warp in _warps)
            {
                warp.Run();
                alive |= warp.Alive != 0;
                waiting |= warp.Waiting != 0;
                left |= warp.Alive != warp.Lanes;
            }
            if (!alive) return;
            if (waiting) CheckBarrier(left);
            foreach (var warp in _warps) warp.PassBarrier();
        }
    }

    // All threads of a block must come to the same barrier.
    private void CheckBarrier(bool left)
    {
        int at = _warps.First(warp => warp.Waiting != 0).BarrierAt;
        foreach (var warp in _warps)
        {
            if (warp.BarrierAt == at && at >= 0 && !left) continue;
            var instruction = _kernel.Code[Math.Max(0, (at >= 0 ? at : warp.BarrierAt) - 1)];
            throw warp.Fault(PtxFaultKind.Divergence, instruction, left
                ? $"some threads of block {Name} wait at a barrier, others have left the kernel"
                : $"the threads of block {Name} wait at different barriers");
        }
    }

    private static void Set(Warp warp, PtxKernel kernel, string name, long value)
    {
        if (kernel.Specials.TryGetValue(name, out int slot)) warp.Fill(slot, (ulong)value);
    }

    private void Set(Warp warp, string name, long value) => Set(warp, _kernel, name, value);

    private void FillSpecials(Warp warp)
    {
        Set(warp, "%ntid.x", _shape.BlockX);
        Set(warp, "%ntid.y", _shape.BlockY);
        Set(warp, "%ntid.z", _shape.BlockZ);
        Set(warp, "%nctaid.x", _shape.GridX);
        Set(warp, "%nctaid.y", _shape.GridY);
        Set(warp, "%nctaid.z", _shape.GridZ);
        Set(warp, "%warpid", warp.Index);
        Set(warp, "%dynamic_smem_size", _shape.DynamicShared);
        for (int lane = 0; lane < 32; lane++)
        {
            int thread = 32 * warp.Index + lane;
            Lane(warp, "%tid.x", lane, thread % _shape.BlockX);
            Lane(warp, "%tid.y", lane, thread / _shape.BlockX % _shape.BlockY);
            Lane(warp, "%tid.z", lane, thread / _shape.BlockX / _shape.BlockY);
            Lane(warp, "%laneid", lane, lane);
            Lane(warp, "%lanemask_eq", lane, 1L << lane);
            Lane(warp, "%lanemask_lt", lane, (1L << lane) - 1);
            Lane(warp, "%lanemask_le", lane, (2L << lane) - 1);
        }
    }

    private void Lane(Warp warp, string name, int lane, long value)
    {
        if (_kernel.Specials.TryGetValue(name, out int slot)) warp.R[32 * slot + lane] = (ulong)value;
    }
}

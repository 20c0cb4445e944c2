namespace Sfn.CudaEmulator.Execution;

/// <summary>
/// Finds barriers that are missing: between two barriers, no warp may write to a place of shared memory that another one reads or writes. Warps take turns
/// here, so that such a kernel can give the right numbers all the same. Atomics and accesses of single bytes are not looked at, nor lanes of one warp.
/// </summary>
internal sealed class RaceCheck(int bytes)
{
    // Two bytes each, the smallest element that kernels share.
    private readonly Use[] _uses = new Use[(bytes + 1) / 2];
    private int _phase = 1;

    /// <summary>A barrier has passed, or a block has ended: nothing before it can meet what comes after.</summary>
    public void NextPhase() => _phase++;

    public void Read(Warp warp, Instr instruction, int lane, uint address, int bytes)
    {
        foreach (ref var use in Places(address, bytes))
        {
            if (use.WritePhase == _phase && use.Writer != warp.Index) throw Race(warp, instruction, lane, address, "reads", use.Writer, "wrote");
            if (use.ReadPhase != _phase) (use.ReadPhase, use.Readers) = (_phase, 0);
            use.Readers |= 1u << warp.Index;
        }
    }

    public void Write(Warp warp, Instr instruction, int lane, uint address, int bytes)
    {
        uint me = 1u << warp.Index;
        foreach (ref var use in Places(address, bytes))
        {
            if (use.WritePhase == _phase && use.Writer != warp.Index) throw Race(warp, instruction, lane, address, "writes", use.Writer, "wrote");
            if (use.ReadPhase == _phase && (use.Readers & ~me) != 0)
                throw Race(warp, instruction, lane, address, "writes", System.Numerics.BitOperations.TrailingZeroCount(use.Readers & ~me), "read");
            (use.WritePhase, use.Writer) = (_phase, warp.Index);
        }
    }

    private Span<Use> Places(uint address, int bytes) => _uses.AsSpan((int)(address / 2), bytes / 2);

    private static PtxFaultException Race(Warp warp, Instr instruction, int lane, uint address, string does, int other, string did) =>
        warp.Fault(PtxFaultKind.Race, instruction,
            $"thread {warp.Thread(1u << lane)} {does} shared memory at {address} that warp {other} {did}, with no barrier between");

    private struct Use
    {
        public int WritePhase, Writer, ReadPhase;
        public uint Readers;
    }
}

using System.Numerics;
using System.Runtime.InteropServices;

namespace Sfn.CudaEmulator.Execution;

/// <summary>
/// A warp's cp.async. As strict as the manual allows: a copy lands only when it is waited for, and spoils its place until then, so that a kernel which
/// reads too early gives wrong numbers here every time.
/// </summary>
internal sealed unsafe class AsyncCopies
{
    private readonly List<Copy>[] _open = [.. Enumerable.Range(0, 32).Select(_ => new List<Copy>())];
    private readonly Queue<List<Copy>>[] _groups = [.. Enumerable.Range(0, 32).Select(_ => new Queue<List<Copy>>())];
    private readonly Stack<List<Copy>> _spare = new();

    public void Clear()
    {
        foreach (var open in _open) open.Clear();
        foreach (var groups in _groups) groups.Clear();
    }

    /// <summary>cp.async [A], [B], Immediate bytes, of which C are read and the rest are zeros.</summary>
    public static void Start(Warp warp, Instr instruction, uint lanes)
    {
        int bytes = instruction.Lists[0][0];
        warp.Block.Statistics?.Access(warp, instruction, lanes, instruction.A, bytes);
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            uint to = (uint)(warp.R[32 * instruction.A + lane] + (ulong)instruction.Immediate);
            ulong from = warp.R[32 * instruction.B + lane] + (ulong)instruction.Lists[0][1];
            uint valid = (uint)warp.R[32 * instruction.C + lane];
            if (valid > bytes) throw warp.Fault(PtxFaultKind.Undefined, instruction, $"thread {warp.Thread(1u << lane)} wants {valid} of {bytes} bytes");
            var copy = new Copy(instruction, lane, to, from, bytes, (int)valid);
            if (valid > 0) copy.Source(warp);
            var place = new Span<byte>(copy.Place(warp), bytes);
            MemoryMarshal.Cast<byte, uint>(place).Fill(AddressSpaces.Garbage);
            warp.Copies._open[lane].Add(copy);
        }
    }

    public static void Commit(Warp warp, Instr instruction, uint lanes)
    {
        var copies = warp.Copies;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            copies._groups[lane].Enqueue(copies._open[lane]);
            copies._open[lane] = copies._spare.TryPop(out var list) ? list : [];
        }
    }

    /// <summary>Lands all groups but the last Immediate; for Immediate -1 also what is in no group yet.</summary>
    public static void Wait(Warp warp, Instr instruction, uint lanes)
    {
        var copies = warp.Copies;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            while (copies._groups[lane].Count > Math.Max(0, instruction.Immediate))
            {
                var group = copies._groups[lane].Dequeue();
                Land(warp, group);
                copies._spare.Push(group);
            }
            if (instruction.Immediate < 0) Land(warp, copies._open[lane]);
        }
    }

    private static void Land(Warp warp, List<Copy> copies)
    {
        foreach (var copy in copies)
        {
            var to = new Span<byte>(copy.Place(warp), copy.Bytes);
            to[copy.Valid..].Clear();
            if (copy.Valid > 0) new ReadOnlySpan<byte>(copy.Source(warp), copy.Valid).CopyTo(to);
        }
        copies.Clear();
    }

    private readonly record struct Copy(Instr Instruction, int Lane, uint To, ulong From, int Bytes, int Valid)
    {
        public byte* Place(Warp warp) => MemoryAccess.At(warp, Instruction, Lane, AddressSpaces.SharedWindow + To, Bytes, Bytes, Intent.Write);

        public byte* Source(Warp warp) => MemoryAccess.At(warp, Instruction, Lane, From, Valid, Bytes, Intent.Read);
    }
}

using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sfn.CudaEmulator.Execution;

/// <summary>
/// 32 threads in step: one instruction is executed for all lanes that stand at it. When lanes part, those furthest behind in the text go first, until
/// they meet the others; compilers place a join behind its branches, so lanes meet again there.
/// </summary>
internal sealed unsafe class Warp
{
    private readonly PtxKernel _kernel;
    private readonly Instr[] _code;
    private readonly int[] _at = new int[32];
    private uint _waiting;

    public Warp(PtxKernel kernel, BlockRun block, int index, int threads)
    {
        (_kernel, _code, Block, Index) = (kernel, kernel.Code, block, index);
        Lanes = threads >= 32 ? uint.MaxValue : (1u << threads) - 1;
        Slots = GC.AllocateUninitializedArray<ulong>(kernel.SlotCount * 32, pinned: true);
        R = (ulong*)Unsafe.AsPointer(ref Slots[0]);
        Local = GC.AllocateUninitializedArray<byte>(kernel.LocalBytes * 32 + 1, pinned: true);
        foreach (var (slot, value) in kernel.Constants) Fill(slot, value);
    }

    public BlockRun Block { get; }

    public int Index { get; }

    /// <summary>Lanes that the launch gave this warp.</summary>
    public uint Lanes { get; }

    /// <summary>Lanes that have not left the kernel.</summary>
    public uint Alive { get; private set; }

    /// <summary>Lanes at a barrier.</summary>
    public uint Waiting => _waiting;

    public int LocalBytes => _kernel.LocalBytes;

    private byte[] Local { get; }

    /// <summary>A lane's own memory.</summary>
    public byte* LocalMemory(int lane) => (byte*)Unsafe.AsPointer(ref Local[lane * _kernel.LocalBytes]);

    public AsyncCopies Copies { get; } = new();

    /// <summary>Instructions executed, each counted once per lane.</summary>
    public long Executed { get; private set; }

    /// <summary>Register slot s of lane l is R[32 s + l].</summary>
    public ulong* R { get; }

    /// <summary>The allocation that this warp touched last.</summary>
    public ulong RangeBegin { get; set; }

    public ulong RangeEnd { get; set; }

    private ulong[] Slots { get; }

    public void Fill(int slot, ulong value) => new Span<ulong>(R + 32 * slot, 32).Fill(value);

    public void Begin()
    {
        foreach (int slot in _kernel.RegisterSlots) Fill(slot, AddressSpaces.Garbage | ((ulong)AddressSpaces.Garbage << 32));
        MemoryMarshal.Cast<byte, uint>(Local.AsSpan()).Fill(AddressSpaces.Garbage);
        Array.Clear(_at);
        Copies.Clear();
        (Alive, _waiting, RangeBegin, RangeEnd) = (Lanes, 0, 0, 0);
    }

    /// <summary>The instruction that the waiting lanes stand at; -1 if they stand at several.</summary>
    public int BarrierAt
    {
        get
        {
            int at = -2;
            for (uint rest = _waiting; rest != 0; rest &= rest - 1)
            {
                int here = _at[BitOperations.TrailingZeroCount(rest)];
                at = at == -2 || at == here ? here : -1;
            }
            return at;
        }
    }

    public void PassBarrier() => _waiting = 0;

    /// <summary>Runs until all lanes wait or have left.</summary>
    public void Run()
    {
        while (true)
        {
            uint running = Alive & ~_waiting;
            if (running == 0) return;
            int at = int.MaxValue, limit = int.MaxValue;
            uint group = 0;
            for (uint rest = running; rest != 0; rest &= rest - 1)
            {
                int lane = BitOperations.TrailingZeroCount(rest), here = _at[lane];
                if (here == at)
                {
                    group |= 1u << lane;
                }
                else if (here < at)
                {
                    (limit, at, group) = (at, here, 1u << lane);
                }
                else if (here < limit)
                {
                    limit = here;
                }
            }
            RunGroup(at, limit, group);
        }
    }

    // Lanes that stand at one instruction, until they part, wait, leave, or meet others.
    private void RunGroup(int at, int limit, uint group)
    {
        int size = BitOperations.PopCount(group);
        long budget = Block.Budget;
        while (at < limit)
        {
            var instruction = _code[at];
            Executed += size;
            if (Executed > budget) throw Fault(PtxFaultKind.Undefined, instruction, $"thread {Thread(group)} does not end");
            uint lanes = instruction.Guard < 0 ? group : group & Predicate(instruction.Guard, instruction.GuardNegated);
            if (instruction.Flow == Flow.Next)
            {
                if (lanes != 0) instruction.Run(this, instruction, lanes);
                at++;
                continue;
            }
            if (lanes == 0)
            {
                at++;
                continue;
            }
            if (instruction.Flow == Flow.Branch && lanes == group)
            {
                at = instruction.Target;
                continue;
            }
            Set(group, at + 1);
            if (instruction.Flow == Flow.Branch) Set(lanes, instruction.Target);
            else if (instruction.Flow == Flow.Exit) Alive &= ~lanes;
            else _waiting |= lanes;
            return;
        }
        Set(group, at);
    }

    private void Set(uint lanes, int at)
    {
        for (; lanes != 0; lanes &= lanes - 1) _at[BitOperations.TrailingZeroCount(lanes)] = at;
    }

    public uint Predicate(int slot, bool negated)
    {
        uint mask = 0;
        ulong* values = R + 32 * slot;
        for (int lane = 0; lane < 32; lane++) mask |= (uint)(values[lane] & 1) << lane;
        return negated ? ~mask : mask;
    }

    /// <summary>Warp-wide instructions need every lane that is left.</summary>
    public void NeedAll(Instr instruction, uint lanes)
    {
        if (lanes != uint.MaxValue)
            throw Fault(PtxFaultKind.Divergence, instruction, $"only {BitOperations.PopCount(lanes)} of 32 lanes are here (mask {lanes:X8})");
    }

    public string Thread(uint lanes) => $"{Index * 32 + BitOperations.TrailingZeroCount(lanes)} of block {Block.Name}";

    public PtxFaultException Fault(PtxFaultKind kind, Instr instruction, string message) => new(kind, $"kernel {_kernel.Name}, {instruction}: {message}");

    public static void Elementwise(Warp warp, Instr instruction, uint lanes)
    {
        var scalar = instruction.Scalar;
        ulong* d = warp.R + 32 * instruction.D, a = warp.R + 32 * instruction.A, b = warp.R + 32 * instruction.B, c = warp.R + 32 * instruction.C;
        if (lanes == uint.MaxValue)
        {
            for (int lane = 0; lane < 32; lane++) d[lane] = scalar(a[lane], b[lane], c[lane]);
            return;
        }
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            d[lane] = scalar(a[lane], b[lane], c[lane]);
        }
    }

    public static void Move(Warp warp, Instr instruction, uint lanes)
    {
        ulong* d = warp.R + 32 * instruction.D, a = warp.R + 32 * instruction.A;
        if (lanes == uint.MaxValue) new Span<ulong>(a, 32).CopyTo(new Span<ulong>(d, 32));
        else for (; lanes != 0; lanes &= lanes - 1) d[BitOperations.TrailingZeroCount(lanes)] = a[BitOperations.TrailingZeroCount(lanes)];
    }

    /// <summary>A 64-bit register from the two halves of Lists[0], or the halves from the register.</summary>
    public static void Pack(Warp warp, Instr instruction, uint lanes)
    {
        int half = (int)instruction.Immediate;
        int[] parts = instruction.Lists[0];
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            ulong value = 0;
            for (int k = parts.Length - 1; k >= 0; k--) value = (value << half) | (warp.R[32 * parts[k] + lane] & ((1UL << half) - 1));
            warp.R[32 * instruction.D + lane] = value;
        }
    }

    public static void Unpack(Warp warp, Instr instruction, uint lanes)
    {
        int half = (int)instruction.Immediate;
        int[] parts = instruction.Lists[0];
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            ulong value = warp.R[32 * instruction.A + lane];
            for (int k = 0; k < parts.Length; k++) warp.R[32 * parts[k] + lane] = (value >> (half * k)) & ((1UL << half) - 1);
        }
    }

    public static void Trap(Warp warp, Instr instruction, uint lanes) => throw warp.Fault(PtxFaultKind.Undefined, instruction, $"thread {warp.Thread(lanes)} trapped");

}

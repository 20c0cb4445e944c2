using System.Numerics;
using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Execution;

/// <summary>What an access is for.</summary>
internal enum Intent : byte { Read, Write, Atomic }

/// <summary>Loads, stores and atomics. Every access must be aligned to its whole width and lie inside of one allocation.</summary>
internal static unsafe class MemoryAccess
{
    private static readonly Lock s_atomics = new();

    /// <summary>Where <paramref name="bytes"/> bytes of a lane's memory lie.</summary>
    public static byte* At(Warp warp, Instr instruction, int lane, ulong address, int bytes, int alignment, Intent intent)
    {
        var space = instruction.Space;
        if (space == Space.Generic)
        {
            if (address - AddressSpaces.SharedWindow < AddressSpaces.WindowBytes) (space, address) = (Space.Shared, address - AddressSpaces.SharedWindow);
            else if (address - AddressSpaces.LocalWindow < AddressSpaces.WindowBytes) (space, address) = (Space.Local, address - AddressSpaces.LocalWindow);
        }
        if ((address & (ulong)(alignment - 1)) != 0)
            throw warp.Fault(PtxFaultKind.MisalignedAddress, instruction, $"thread {warp.Thread(1u << lane)}: address 0x{address:X} is no multiple of {alignment}");
        if (space is Space.Global or Space.Generic)
        {
            if (address >= warp.RangeBegin && address + (ulong)bytes <= warp.RangeEnd) return (byte*)address;
            if (!warp.Block.Memory.Find(address, out ulong begin, out ulong end) || address + (ulong)bytes > end)
                throw warp.Fault(PtxFaultKind.IllegalAddress, instruction, $"thread {warp.Thread(1u << lane)}: {bytes} bytes at 0x{address:X} are in no allocation"
                    + (end > 0 ? $" (the one before ends at 0x{end:X})" : ""));
            (warp.RangeBegin, warp.RangeEnd) = (begin, end);
            return (byte*)address;
        }
        // Addresses of these spaces have 32 bits.
        address = (uint)address;
        byte* memory = space switch
        {
            Space.Shared => warp.Block.Shared,
            Space.Param => warp.Block.Parameters,
            _ => warp.LocalMemory(lane),
        };
        int size = space switch
        {
            Space.Shared => warp.Block.SharedBytes,
            Space.Param => warp.Block.ParameterBytes,
            _ => warp.LocalBytes,
        };
        if (address + (ulong)bytes > (ulong)size)
            throw warp.Fault(PtxFaultKind.IllegalAddress, instruction,
                $"thread {warp.Thread(1u << lane)}: {bytes} bytes at {address} are outside of {size} bytes of {space} memory");
        if (space == Space.Shared && intent != Intent.Atomic && warp.Block.Races is { } races)
        {
            if (intent == Intent.Read) races.Read(warp, instruction, lane, (uint)address, bytes);
            else races.Write(warp, instruction, lane, (uint)address, bytes);
        }
        return memory + address;
    }

    public static void Load(Warp warp, Instr instruction, uint lanes)
    {
        int[] list = instruction.Lists[0];
        int size = instruction.Type.Size(), bytes = size * list.Length;
        warp.Block.Statistics?.Access(warp, instruction, lanes, instruction.A, bytes);
        ulong* r = warp.R, addresses = r + 32 * instruction.A;
        bool signed = instruction.Type.IsSigned();
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            byte* from = At(warp, instruction, lane, addresses[lane] + (ulong)instruction.Immediate, bytes, bytes, Intent.Read);
            for (int k = 0; k < list.Length; k++) r[32 * list[k] + lane] = Read(from + k * size, size, signed);
        }
    }

    public static void Store(Warp warp, Instr instruction, uint lanes)
    {
        int[] list = instruction.Lists[0];
        int size = instruction.Type.Size(), bytes = size * list.Length;
        warp.Block.Statistics?.Access(warp, instruction, lanes, instruction.A, bytes);
        ulong* r = warp.R, addresses = r + 32 * instruction.A;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            byte* to = At(warp, instruction, lane, addresses[lane] + (ulong)instruction.Immediate, bytes, bytes, Intent.Write);
            for (int k = 0; k < list.Length; k++) Write(to + k * size, size, r[32 * list[k] + lane]);
        }
    }

    /// <summary>A parameter, the same for all lanes.</summary>
    public static void LoadParameter(Warp warp, Instr instruction, uint lanes)
    {
        int[] list = instruction.Lists[0];
        int size = instruction.Type.Size();
        int first = BitOperations.TrailingZeroCount(lanes);
        byte* from = At(warp, instruction, first, warp.R[32 * instruction.A + first] + (ulong)instruction.Immediate, size * list.Length, size, Intent.Read);
        for (int k = 0; k < list.Length; k++)
        {
            ulong value = Read(from + k * size, size, instruction.Type.IsSigned());
            if (lanes == uint.MaxValue) warp.Fill(list[k], value);
            else for (uint rest = lanes; rest != 0; rest &= rest - 1) warp.R[32 * list[k] + BitOperations.TrailingZeroCount(rest)] = value;
        }
    }

    /// <summary>atom and red: Scalar gives the new value from the old one (A) and the operands; D is -1 if nobody wants the old one.</summary>
    public static void Atomic(Warp warp, Instr instruction, uint lanes)
    {
        int size = instruction.Type.Size();
        ulong* r = warp.R;
        lock (s_atomics)
        {
            for (; lanes != 0; lanes &= lanes - 1)
            {
                int lane = BitOperations.TrailingZeroCount(lanes);
                byte* place = At(warp, instruction, lane, r[32 * instruction.A + lane] + (ulong)instruction.Immediate, size, size, Intent.Atomic);
                ulong old = Read(place, size, false), next = instruction.Scalar(old, r[32 * instruction.B + lane], r[32 * instruction.C + lane]);
                if (instruction.D >= 0) r[32 * instruction.D + lane] = old;
                Write(place, size, next);
            }
        }
    }

    private static ulong Read(byte* from, int size, bool signed) => size switch
    {
        1 => signed ? (ulong)(sbyte)*from : *from,
        2 => signed ? (ulong)*(short*)from : *(ushort*)from,
        4 => signed ? (ulong)*(int*)from : *(uint*)from,
        _ => *(ulong*)from,
    };

    private static void Write(byte* to, int size, ulong value)
    {
        switch (size)
        {
            case 1: *to = (byte)value; break;
            case 2: *(ushort*)to = (ushort)value; break;
            case 4: *(uint*)to = (uint)value; break;
            default: *(ulong*)to = value; break;
        }
    }
}

using Sfn.CudaEmulator.Execution;
using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Decoding;

internal sealed partial class KernelDecoder
{
    private bool Memory(Instr result, Instruction instruction, Modifiers modifiers)
    {
        var operands = instruction.Operands;
        switch (instruction.Opcode)
        {
            case "ld" or "st":
                Access(result, instruction, modifiers);
                return true;
            case "cp":
                return AsyncCopy(result, operands, modifiers);
            case "cvta":
                return Convert(result, operands, modifiers);
            case "atom" or "red":
                return Atomic(result, instruction, modifiers);
            default:
                return false;
        }
    }

    private void Access(Instr result, Instruction instruction, Modifiers modifiers)
    {
        var operands = instruction.Operands;
        bool load = instruction.Opcode == "ld";
        modifiers.DropHints();
        result.Type = modifiers.TakeType();
        result.Space = modifiers.TakeSpace();
        int width = modifiers.TakeAny("v2", "v4") switch { "v2" => 2, "v4" => 4, _ => 1 };
        Address(result, operands[load ? 1 : 0]);
        result.Lists = [Slots(operands[load ? 0 : 1], result.Type)];
        if (load && result.Space == Space.Param) result.Run = MemoryAccess.LoadParameter;
        else result.Run = load ? MemoryAccess.Load : MemoryAccess.Store;
        if (result.Type.Size() is < 1 or > 8 || result.Lists[0].Length != width || (!load && result.Space == Space.Param)) throw modifiers.Unknown();
    }

    private bool AsyncCopy(Instr result, Operand[] operands, Modifiers modifiers)
    {
        if (!modifiers.Take("async")) return false;
        if (modifiers.Take("commit_group"))
        {
            result.Run = AsyncCopies.Commit;
            return true;
        }
        if (modifiers.Take("wait_all") || modifiers.Take("wait_group"))
        {
            result.Run = AsyncCopies.Wait;
            result.Immediate = operands.Length == 0 ? -1 : (long)operands[0].Literal.Bits;
            return true;
        }
        bool aligned = modifiers.Take("cg");
        if (!aligned && !modifiers.Take("ca")) return false;
        modifiers.DropHints();
        if (!(modifiers.Take("shared") || modifiers.Take("shared::cta")) || !modifiers.Take("global")) return false;
        Address(result, operands[1]);
        (result.B, long from) = (result.A, result.Immediate);
        Address(result, operands[0]);
        int bytes = (int)operands[2].Literal.Bits;
        if (bytes is not (4 or 8 or 16) || (aligned && bytes != 16)) throw Reject($"cp.async copies 4, 8 or 16 bytes, with .cg only 16, not {bytes}");
        result.C = operands.Length > 3 ? Source(operands[3], PtxType.U32) : Constant((ulong)bytes);
        result.Lists = [[bytes, (int)from]];
        result.Space = Space.Generic;
        result.Run = AsyncCopies.Start;
        return true;
    }

    // Between generic addresses and those of a space.
    private bool Convert(Instr result, Operand[] operands, Modifiers modifiers)
    {
        bool to = modifiers.Take("to");
        modifiers.TakeType();
        ulong window = modifiers.TakeSpace() switch
        {
            Space.Shared => AddressSpaces.SharedWindow,
            Space.Local => AddressSpaces.LocalWindow,
            Space.Global or Space.Param => 0,
            _ => throw modifiers.Unknown(),
        };
        (result.D, result.A) = (Destination(operands[0]), Source(operands[1], PtxType.U64));
        result.Run = window == 0 ? Warp.Move : Warp.Elementwise;
        result.Scalar = to ? (a, _, _) => a - window : (a, _, _) => (uint)a + window;
        return true;
    }

    private bool Atomic(Instr result, Instruction instruction, Modifiers modifiers)
    {
        var operands = instruction.Operands;
        bool wanted = instruction.Opcode == "atom";
        foreach (string order in new[] { "relaxed", "acquire", "release", "acq_rel", "gpu", "cta", "sys" }) modifiers.Take(order);
        result.Type = modifiers.TakeType();
        result.Space = modifiers.TakeSpace();
        string? operation = modifiers.TakeAny("add", "min", "max", "and", "or", "xor", "exch", "cas");
        Scalar? scalar = operation switch
        {
            null => null,
            "exch" => static (_, b, _) => b,
            "cas" when result.Type.Size() == 4 => static (a, b, c) => (uint)a == (uint)b ? c : a,
            "cas" => static (a, b, c) => a == b ? c : a,
            _ => Scalars.Find([operation, result.Type.Text()]),
        };
        if (scalar is null) return false;
        int first = wanted ? 1 : 0;
        Address(result, operands[first]);
        result.D = wanted ? Destination(operands[0]) : -1;
        result.B = Source(operands[first + 1], result.Type);
        if (operation == "cas") result.C = Source(operands[first + 2], result.Type);
        result.Scalar = scalar;
        result.Run = MemoryAccess.Atomic;
        return true;
    }
}

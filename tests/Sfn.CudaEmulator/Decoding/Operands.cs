using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Decoding;

/// <summary>From operands to slots, with the checks of types that ptxas makes.</summary>
internal sealed partial class KernelDecoder
{
    /// <summary>The slot of an operand that is read as the given type.</summary>
    /// <param name="operand">A register, a special register, a number or the name of a variable.</param>
    /// <param name="type">The type that the instruction reads.</param>
    /// <param name="wider">Whether a wider register may be read in part, as st and cvt may.</param>
    private int Source(Operand operand, PtxType type, bool wider = false)
    {
        if (operand.Kind == OperandKind.Literal) return Constant(Number(operand.Literal, type));
        if (operand.Kind != OperandKind.Name) throw Reject($"'{operand}' cannot stand here");
        if (s_specials.TryGetValue(operand.Name, out var special)) return SpecialSlot(special);
        if (operand.Name == "WARP_SZ") return Constant(32);
        switch (Find(operand.Name))
        {
            case Register register:
                CheckType(operand, register, type, wider);
                return register.Slot;
            case Variable { IsDynamic: true }:
                int slot = NewSlot((ulong)operand.Offset);
                _dynamicAddresses.Add(slot);
                return slot;
            case Variable { Space: not Space.Param } variable:
                return Constant((ulong)(variable.Offset + operand.Offset));
            case null:
                throw Reject($"'{operand.Name}' is not declared");
            default:
                throw Reject($"'{operand.Name}' cannot stand here");
        }
    }

    /// <summary>The slot of a register that is written; <c>_</c> writes nowhere.</summary>
    private int Destination(Operand operand, PtxType type, bool wider = false)
    {
        if (operand is { Kind: OperandKind.Name, Name: "_" }) return NewSlot();
        if (operand.Kind != OperandKind.Name || Find(operand.Name) is not Register register) throw Reject($"'{operand}' is no register");
        CheckType(operand, register, type, wider);
        return register.Slot;
    }

    private void CheckType(Operand operand, Register register, PtxType type, bool wider)
    {
        var declared = register.Type;
        bool sizes = declared == type || declared.Size() == type.Size() || (wider && declared.Size() > type.Size());
        bool kinds = (declared == PtxType.Pred) == (type == PtxType.Pred)
            && !(declared.IsFloat() && (type.IsSigned() || type.IsUnsigned()) && !wider)
            && !(type.IsFloat() && (declared.IsSigned() || declared.IsUnsigned()));
        if (!sizes || !kinds) throw Reject($"'{operand.Name}' is a register of type .{declared.Text()}, the instruction needs .{type.Text()}");
    }

    /// <summary>A number as the bits of a type.</summary>
    private ulong Number(Literal literal, PtxType type)
    {
        if (literal.Kind == LiteralKind.Integer)
            return type is PtxType.F16 or PtxType.F32 or PtxType.F64 ? throw Reject("an integer number in an instruction on floats; write 0f… or 1.0") : literal.Bits;
        double value = BitConverter.UInt64BitsToDouble(literal.Bits);
        return (literal.Kind, type) switch
        {
            (LiteralKind.Single, PtxType.F32 or PtxType.B32) => literal.Bits,
            (LiteralKind.Single, PtxType.F64) => BitConverter.DoubleToUInt64Bits(BitConverter.UInt32BitsToSingle((uint)literal.Bits)),
            (LiteralKind.Decimal, PtxType.F32) => BitConverter.SingleToUInt32Bits((float)value),
            (LiteralKind.Double or LiteralKind.Decimal, PtxType.F64 or PtxType.B64) => literal.Bits,
            (LiteralKind.Double, PtxType.F32) => BitConverter.SingleToUInt32Bits((float)value),
            _ => throw Reject($"a {literal.Kind} number does not fit .{type.Text()}"),
        };
    }

    /// <summary>The slot and the constant offset of an address, whether the slot holds 64 bits, and the space that a named variable implies.</summary>
    private (int Slot, long Offset, bool Wide, Space Space) Address(Operand operand)
    {
        if (operand.Kind != OperandKind.Address) throw Reject($"'{operand}' is no address");
        if (operand.Name == "") return (Constant(0), operand.Offset, true, Space.None);
        switch (Find(operand.Name))
        {
            case Register register:
                if (register.Type.IsFloat() || register.Type.Size() is not (4 or 8)) throw Reject($"'{operand.Name}' of type .{register.Type.Text()} cannot hold an address");
                return (register.Slot, operand.Offset, register.Type.Size() == 8, Space.None);
            case Variable { Space: Space.Param } parameter:
                return (Constant(0), parameter.Offset + operand.Offset, true, Space.Param);
            case Variable variable:
                var name = operand with { Kind = OperandKind.Name, Offset = 0 };
                return (Source(name, PtxType.B64), operand.Offset, true, variable.Space);
            default:
                throw Reject($"'{operand.Name}' is not declared");
        }
    }

    private static Operand[] ItemsOf(Operand operand) => operand.Kind == OperandKind.Vector ? [.. operand.Items] : [operand];

    private void Count(Instruction instruction, int count)
    {
        if (instruction.Operands.Length != count) throw Reject($"'{instruction.FullName}' takes {count} operands, not {instruction.Operands.Length}");
    }
}

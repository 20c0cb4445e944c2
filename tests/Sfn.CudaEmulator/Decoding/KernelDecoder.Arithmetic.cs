using Sfn.CudaEmulator.Execution;
using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Decoding;

internal sealed partial class KernelDecoder
{
    private bool Moves(Instr result, Instruction instruction, Modifiers modifiers)
    {
        if (instruction.Opcode != "mov") return false;
        var type = modifiers.TakeType();
        var operands = instruction.Operands;
        if (operands[0].Kind == OperandKind.Vector || operands[1].Kind == OperandKind.Vector)
        {
            bool unpack = operands[0].Kind == OperandKind.Vector;
            int[] parts = [.. operands[unpack ? 0 : 1].Items.Select(part => Source(part, PtxType.B32))];
            (result.Lists, result.Immediate) = ([parts], 8 * type.Size() / parts.Length);
            if (unpack) result.A = Source(operands[1], type);
            else result.D = Destination(operands[0]);
            result.Run = unpack ? Warp.Unpack : Warp.Pack;
            return true;
        }
        (result.D, result.A) = (Destination(operands[0]), Source(operands[1], type));
        result.Run = Warp.Move;
        return true;
    }

    // Everything that computes one value from up to three.
    private bool Arithmetic(Instr result, Instruction instruction, Modifiers modifiers)
    {
        var operands = instruction.Operands;
        if (operands.Length is < 2 or > 4) return false;
        string[] name = [instruction.Opcode, .. instruction.Modifiers];
        var scalar = Scalars.Find(name);
        if (scalar is null) return false;
        // The operands' type is the last of the name; that of selp's condition is known.
        PtxTypes.TryParse(name[^1], out var type);
        modifiers.Clear();
        result.D = Destination(operands[0]);
        result.A = Source(operands[1], type);
        if (operands.Length > 2) result.B = Source(operands[2], type);
        if (operands.Length > 3) result.C = Source(operands[3], type);
        (result.Scalar, result.Run) = (scalar, Warp.Elementwise);
        return true;
    }
}

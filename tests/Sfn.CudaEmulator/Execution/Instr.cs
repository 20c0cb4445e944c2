using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Execution;

/// <summary>Executes an instruction for the lanes in a mask.</summary>
internal delegate void Step(Warp warp, Instr instruction, uint lanes);

/// <summary>A function of up to three operands, for one lane. Operands count in their low bits only; so does the result.</summary>
internal delegate ulong Scalar(ulong a, ulong b, ulong c);

/// <summary>What an instruction does to the flow of a warp.</summary>
internal enum Flow : byte { Next, Branch, Exit, Barrier }

/// <summary>A decoded instruction. Operands are numbers of register slots; constants and special registers have slots too.</summary>
internal sealed class Instr
{
    public required int Line { get; init; }

    public required string Name { get; init; }

    public Step Run { get; set; } = static (_, _, _) => { };

    public Scalar Scalar { get; set; } = static (a, _, _) => a;

    public Flow Flow { get; set; }

    /// <summary>Slot of the guarding predicate, or -1.</summary>
    public int Guard { get; set; } = -1;

    public bool GuardNegated { get; set; }

    /// <summary>Where a branch goes.</summary>
    public int Target { get; set; } = -1;

    public int D { get; set; }

    public int A { get; set; }

    public int B { get; set; }

    public int C { get; set; }

    /// <summary>Offset of an address, or another number of the text.</summary>
    public long Immediate { get; set; }

    /// <summary>Slots of operands in braces, one list per operand.</summary>
    public int[][] Lists { get; set; } = [];

    public Space Space { get; set; }

    public PtxType Type { get; set; }

    public override string ToString() => $"line {Line}, {Name}";
}

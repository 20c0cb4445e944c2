using System.Globalization;

namespace Sfn.CudaEmulator.Text;

internal enum LiteralKind : byte { Integer, Single, Double, Decimal }

/// <summary>A number of the text: an integer, the bits of a float32 (0f…) or float64 (0d…), or a decimal fraction, which fits either.</summary>
internal readonly record struct Literal(LiteralKind Kind, ulong Bits)
{
    public static Literal Parse(string text, bool negative, int line)
    {
        string digits = text.TrimEnd('U');
        try
        {
            if (digits.Length == 10 && digits.StartsWith("0f", StringComparison.OrdinalIgnoreCase))
                return new Literal(LiteralKind.Single, Convert.ToUInt32(digits[2..], 16) ^ (negative ? 0x8000_0000u : 0));
            if (digits.Length == 18 && digits.StartsWith("0d", StringComparison.OrdinalIgnoreCase))
                return new Literal(LiteralKind.Double, Convert.ToUInt64(digits[2..], 16) ^ (negative ? 1UL << 63 : 0));
            ulong value;
            if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)) value = Convert.ToUInt64(digits[2..], 16);
            else if (digits.StartsWith("0b", StringComparison.OrdinalIgnoreCase)) value = Convert.ToUInt64(digits[2..], 2);
            else if (digits.AsSpan().IndexOfAny('.', 'e', 'E') >= 0) return Fraction(double.Parse(digits, CultureInfo.InvariantCulture), negative);
            else if (digits.Length > 1 && digits[0] == '0') value = Convert.ToUInt64(digits, 8);
            else value = ulong.Parse(digits, CultureInfo.InvariantCulture);
            return new Literal(LiteralKind.Integer, negative ? 0 - value : value);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw new PtxRejectedException(line, $"'{text}' is no number");
        }
    }

    private static Literal Fraction(double value, bool negative) => new(LiteralKind.Decimal, BitConverter.DoubleToUInt64Bits(negative ? -value : value));
}

internal enum OperandKind : byte { Name, Literal, Address, Vector, Pair, List }

/// <summary>An operand as written. An address is a name or nothing, plus an offset; a pair is <c>p|q</c>; a list stands in parentheses.</summary>
internal sealed record Operand(OperandKind Kind, int Line)
{
    public string Name { get; init; } = "";
    public Literal Literal { get; init; }
    public long Offset { get; init; }
    public IReadOnlyList<Operand> Items { get; init; } = [];

    public override string ToString() => Kind switch
    {
        OperandKind.Literal => $"0x{Literal.Bits:x}",
        OperandKind.Address => $"[{Name}+{Offset}]",
        OperandKind.Vector => $"{{{string.Join(',', Items)}}}",
        OperandKind.Pair => string.Join('|', Items),
        OperandKind.List => $"({string.Join(',', Items)})",
        _ => Name,
    };
}

internal abstract record Statement(int Line);

internal sealed record OpenScope(int Line) : Statement(Line);

internal sealed record CloseScope(int Line) : Statement(Line);

internal sealed record LabelStatement(string Name, int Line) : Statement(Line);

/// <summary>One instruction: an opcode such as <c>ld</c>, its modifiers, its operands, and the predicate that guards it, if any.</summary>
internal sealed record Instruction(string Opcode, string[] Modifiers, Operand[] Operands, string? Guard, bool GuardNegated, int Line) : Statement(Line)
{
    public string FullName => string.Join('.', [Opcode, .. Modifiers]);
}

internal enum Space : byte { None, Register, Param, Global, Shared, Local, Const, Generic }

/// <summary>A register, a range of registers (<c>%r&lt;10&gt;</c>: Count is 10), or a variable of Count elements (-1: of the size that the launch gives).</summary>
internal sealed record Declaration(Space Space, PtxType Type, string Name, int Alignment, int Count, bool IsRange, Literal[] Initial, int Line) : Statement(Line)
{
    public int Bytes => Math.Max(Count, 0) * Type.Size();
}

/// <summary>A kernel or a device function; Body is null for a mere declaration.</summary>
internal sealed record Function(string Name, bool IsEntry, Declaration[] Returns, Declaration[] Parameters, int Line)
{
    public List<Statement>? Body { get; set; }
    public int MaxThreads { get; set; } = 1024;
    public int[] RequiredThreads { get; set; } = [];
}

/// <summary>A parsed module.</summary>
internal sealed class ModuleSyntax
{
    public string Version { get; set; } = "";
    public string Target { get; set; } = "";
    public List<Declaration> Variables { get; } = [];
    public Dictionary<string, Function> Functions { get; } = [];
}

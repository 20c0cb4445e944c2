using System.Globalization;
using System.Text.RegularExpressions;

namespace Sfn.Tests.Gpu.Ptx;

/// <summary>What an operand of an instruction is.</summary>
internal enum OperandKind
{
    Register,
    Constant,
    Vector,
    Address,
    Parameter,
    Special,
}

/// <summary>One operand: a register, a constant, several registers in braces, an address in brackets, or a special register.</summary>
internal sealed record Operand(OperandKind Kind, int Register = -1, ulong Value = 0, int[]? Registers = null, string Name = "");

/// <summary>One instruction: its dotted parts, its guard, its operands.</summary>
internal sealed record Instruction(string Text, string[] Parts, int Guard, bool Negated, Operand[] Operands)
{
    public string Opcode { get; } = Parts[0];

    public string Name { get; } = string.Join('.', Parts);

    public bool IsShared { get; } = Parts.Contains("shared");

    public bool IsFloat { get; } = Parts[^1] == "f32";

    public bool IsSigned { get; } = Parts[^1] == "s32";

    /// <summary>64-bit operands.</summary>
    public bool IsWide { get; } = Parts[^1] is "u64" or "b64";

    /// <summary>A 64-bit result.</summary>
    public bool GivesWide { get; } = Parts[^1] is "u64" or "b64" || Parts.Contains("wide") || (Parts[0] == "cvt" && Parts[1] == "u64");

    public int Bytes { get; } = Parts[^1] switch { "u8" => 1, "u16" => 2, "u64" or "b64" => 8, _ => 4 };

    public int Target { get; set; } = -1;

    public bool Has(string part) => Array.IndexOf(Parts, part) >= 0;
}

/// <summary>The text of a one-kernel module, one instruction per line, as the engine's own writer makes it.</summary>
internal sealed partial class PtxProgram
{
    private readonly Dictionary<string, int> _registers = [];
    private readonly Dictionary<string, int> _labels = [];
    private readonly List<Instruction> _instructions = [];

    public PtxProgram(string text)
    {
        bool body = false;
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Split("//")[0].Trim();
            if (line.StartsWith(".maxntid", StringComparison.Ordinal)) Threads = int.Parse(line.Split(' ', ',')[1], CultureInfo.InvariantCulture);
            else if (line == "{") body = true;
            else if (!body || line is "" or "}") continue;
            else if (line.StartsWith(".reg", StringComparison.Ordinal)) Declare(line);
            else if (line.EndsWith(':')) _labels.Add(line[..^1], _instructions.Count);
            else _instructions.Add(Decode(line.TrimEnd(';')));
        }
        foreach (var branch in _instructions.Where(i => i.Opcode == "bra")) branch.Target = _labels[branch.Text.Split(' ')[^1]];
    }

    public int Threads { get; }

    public int Registers => _registers.Count;

    public IReadOnlyList<Instruction> Instructions => _instructions;

    private void Declare(string line)
    {
        foreach (string name in line.TrimEnd(';').Split(' ', 3)[2].Split(',', StringSplitOptions.TrimEntries))
        {
            var array = ArrayName().Match(name);
            if (!array.Success) _registers.Add(name, _registers.Count);
            for (int i = 0; array.Success && i < int.Parse(array.Groups[2].Value, CultureInfo.InvariantCulture); i++)
                _registers.Add(array.Groups[1].Value + i, _registers.Count);
        }
    }

    private Instruction Decode(string line)
    {
        string text = line;
        int guard = -1;
        bool negated = false;
        if (text[0] == '@')
        {
            string predicate = text[1..text.IndexOf(' ')];
            negated = predicate[0] == '!';
            guard = _registers[predicate.TrimStart('!')];
            text = text[(text.IndexOf(' ') + 1)..];
        }
        int space = text.IndexOf(' ');
        string[] parts = (space < 0 ? text : text[..space]).Split('.');
        bool plain = space >= 0 && parts[0] != "bra";
        Operand[] operands = plain ? [.. OperandText().Matches(text[(space + 1)..]).Select(m => Parse(m.Value.Trim()))] : [];
        return new(line, parts, guard, negated, operands);
    }

    private Operand Parse(string text)
    {
        if (text[0] == '{') return new(OperandKind.Vector, Registers: [.. text[1..^1].Split(',').Select(name => _registers[name.Trim()])]);
        if (text[0] == '[')
        {
            string[] sum = text[1..^1].Split('+');
            ulong offset = sum.Length > 1 ? ulong.Parse(sum[1], CultureInfo.InvariantCulture) : 0;
            return sum[0][0] == '%' ? new(OperandKind.Address, _registers[sum[0]], offset) : new(OperandKind.Parameter, Value: offset);
        }
        if (text.StartsWith("0f", StringComparison.Ordinal)) return new(OperandKind.Constant, Value: Convert.ToUInt32(text[2..], 16));
        if (text.StartsWith("0x", StringComparison.Ordinal)) return new(OperandKind.Constant, Value: Convert.ToUInt64(text[2..], 16));
        if (char.IsDigit(text[0]) || text[0] == '-') return new(OperandKind.Constant, Value: (ulong)long.Parse(text, CultureInfo.InvariantCulture));
        return _registers.TryGetValue(text, out int register)
            ? new(OperandKind.Register, register, Registers: [register])
            : new(OperandKind.Special, Name: text);
    }

    [GeneratedRegex(@"^(.*)<(\d+)>$")]
    private static partial Regex ArrayName();

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|[^,\s]+")]
    private static partial Regex OperandText();
}

using System.Globalization;
using System.Text;

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// Writes one PTX module with one kernel: names registers, collects their declarations at the head, numbers labels, indents what a
/// condition guards, and keeps comments, so that the text can be read beside the C# that made it.
/// </summary>
/// <remarks>
/// Registers are plain names (<see cref="U32(string)"/> …); one instruction is one line: <c>w.Op($"add.u32 {sum}, {a}, {b}")</c>.
/// </remarks>
internal sealed class PtxWriter
{
    /// <summary>The symbol of dynamic shared memory, aligned to 128 bytes.</summary>
    public const string DynamicShared = "dynamic_shared";

    private readonly StringBuilder _body = new();
    private readonly List<(string Type, string Text)> _registers = [];
    private readonly HashSet<string> _names = [];
    private readonly List<(string Type, string Name)> _parameters = [];
    private readonly string _version;
    private readonly string _target;
    private int _indent = 1;

    /// <summary>Starts a module. Version 8.0 and target sm_80 hold everything but Hopper's own instructions.</summary>
    public PtxWriter(string kernel, int threads, int minBlocks = 1, string version = "8.0", string target = "sm_80")
    {
        (Kernel, Threads, MinBlocks, _version, _target) = (kernel, threads, minBlocks, version, target);
    }

    /// <summary>Name of the entry point.</summary>
    public string Kernel { get; }

    /// <summary>Threads per block, which the launch must match.</summary>
    public int Threads { get; }

    /// <summary>Blocks that must fit one multiprocessor: bounds the registers.</summary>
    public int MinBlocks { get; }

    /// <summary>A kernel parameter of PTX type u64, u32, s32 or f32, read into a register of that name.</summary>
    public string Parameter(string type, string name)
    {
        _parameters.Add((type, name));
        string register = Register(type is "u64" ? "b64" : type is "f32" ? "f32" : "b32", name);
        Op($"ld.param.{type} {register}, [param_{name}]");
        return register;
    }

    /// <summary>One kernel parameter that is a struct of <paramref name="bytes"/> bytes; <see cref="Field"/> reads its members.</summary>
    public void StructParameter(string name, int bytes) => _parameters.Add(("align 8 .b8", $"{name}[{bytes}]"));

    /// <summary>A member, of PTX type u64, u32, s32 or f32, of a struct parameter at a byte offset, read into a register of that name.</summary>
    public string Field(string type, string name, string parameter, int offset)
    {
        string register = Register(type is "u64" ? "b64" : type is "f32" ? "f32" : "b32", name);
        Op($"ld.param.{type} {register}, [param_{parameter}+{offset}]");
        return register;
    }

    /// <summary>A 32-bit register.</summary>
    public string U32(string name) => Register("b32", name);

    /// <summary>A 64-bit register.</summary>
    public string U64(string name) => Register("b64", name);

    /// <summary>A 16-bit register.</summary>
    public string U16(string name) => Register("b16", name);

    /// <summary>A float register.</summary>
    public string F32(string name) => Register("f32", name);

    /// <summary>A predicate.</summary>
    public string Predicate(string name) => Register("pred", name);

    /// <summary><paramref name="count"/> 32-bit registers name0, name1, ….</summary>
    public string[] U32(string name, int count) => Array("b32", name, count);

    /// <summary><paramref name="count"/> 64-bit registers.</summary>
    public string[] U64(string name, int count) => Array("b64", name, count);

    /// <summary><paramref name="count"/> float registers.</summary>
    public string[] F32(string name, int count) => Array("f32", name, count);

    /// <summary><paramref name="count"/> predicates.</summary>
    public string[] Predicate(string name, int count) => Array("pred", name, count);

    /// <summary>One instruction.</summary>
    public void Op(string instruction) => Line(instruction + ";");

    /// <summary>One instruction under a predicate; "!p" negates.</summary>
    public void Op(string predicate, string instruction) => Line($"@{predicate} {instruction};");

    /// <summary>A comment on its own line.</summary>
    public void Comment(string text) => Line("// " + text);

    /// <summary>A new label, not yet placed.</summary>
    public string Label(string name) => Unique("L_" + name);

    /// <summary>Places a label.</summary>
    public void Mark(string label) => _body.Append(label).Append(":\n");

    /// <summary>Jumps to a label, under a predicate if one is given.</summary>
    public void Branch(string label, string? predicate = null) => Line(predicate is null ? $"bra {label};" : $"@{predicate} bra {label};");

    /// <summary>What follows until disposal runs only where the predicate holds ("!p" negates): a jump around it.</summary>
    public Block If(string predicate, string name = "skip")
    {
        string end = Label(name);
        Branch(end, predicate.StartsWith('!') ? predicate[1..] : "!" + predicate);
        _indent++;
        return new(this, null, null, end);
    }

    /// <summary>Repeats what follows until disposal while the predicate, set by the body's end, holds; the body runs at least once.</summary>
    public Block DoWhile(string predicate, string name = "loop")
    {
        string start = Label(name);
        Mark(start);
        _indent++;
        return new(this, start, predicate, null);
    }

    /// <summary>The whole module.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        // Registers are given out in eights.
        text.Append($"// budget: {Math.Min(255, 65536 / (Threads * MinBlocks) / 8 * 8)}\n");
        text.Append($".version {_version}\n.target {_target}\n.address_size 64\n\n");
        if (_body.ToString().Contains(DynamicShared, StringComparison.Ordinal)) text.Append($".extern .shared .align 128 .b8 {DynamicShared}[];\n\n");
        text.Append($".visible .entry {Kernel}(\n");
        for (int i = 0; i < _parameters.Count; i++)
            text.Append($"    .param .{_parameters[i].Type} param_{_parameters[i].Name}{(i + 1 < _parameters.Count ? "," : "")}\n");
        text.Append($")\n.maxntid {Threads}, 1, 1\n");
        if (MinBlocks > 1) text.Append($".minnctapersm {MinBlocks}\n");
        text.Append("{\n");
        foreach (var group in _registers.GroupBy(r => r.Type))
            foreach (var line in group.Chunk(12))
                text.Append($"    .reg .{group.Key} {string.Join(", ", line.Select(r => r.Text))};\n");
        text.Append('\n').Append(_body).Append("}\n");
        return text.ToString();
    }

    /// <summary>A float constant, exact.</summary>
    public static string Constant(float value) => "0f" + BitConverter.SingleToUInt32Bits(value).ToString("X8", CultureInfo.InvariantCulture);

    /// <summary>{a, b, c}: the operands of a vector access or of an mma fragment.</summary>
    public static string Vector(params ReadOnlySpan<string> registers) => "{" + string.Join(", ", registers!) + "}";

    private string Register(string type, string name)
    {
        string unique = Unique("%" + name);
        _registers.Add((type, unique));
        return unique;
    }

    private string[] Array(string type, string name, int count)
    {
        // The assembler takes all trailing digits for the index, so the name must not end in one.
        string unique = Unique("%" + name) + "_";
        _registers.Add((type, $"{unique}<{count}>"));
        var registers = new string[count];
        for (int i = 0; i < count; i++) registers[i] = unique + i.ToString(CultureInfo.InvariantCulture);
        return registers;
    }

    private string Unique(string name)
    {
        string unique = name;
        for (int i = 2; !_names.Add(unique); i++) unique = $"{name}_v{i}";
        return unique;
    }

    private void Line(string text) => _body.Append(' ', 4 * _indent).Append(text).Append('\n');

    /// <summary>The end of a guarded part or loop.</summary>
    internal readonly ref struct Block(PtxWriter writer, string? start, string? predicate, string? end)
    {
        /// <summary>Closes it.</summary>
        public void Dispose()
        {
            if (start is not null) writer.Branch(start, predicate);
            writer._indent--;
            if (end is not null) writer.Mark(end);
        }
    }
}

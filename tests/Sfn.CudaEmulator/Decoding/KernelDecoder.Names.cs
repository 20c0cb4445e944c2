using Sfn.CudaEmulator.Execution;
using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Decoding;

/// <summary>A register (Value is its slot) or a variable at an address of its space.</summary>
internal sealed record Symbol(Space Space, ulong Value)
{
    public int Slot => (int)Value;
}

/// <summary>Scopes, and the slots of registers, constants and special registers.</summary>
internal sealed partial class KernelDecoder
{
    // Dynamic shared memory begins after all declared variables, which are known at the end only.
    private const ulong DynamicShared = 0xD15A_0000_0000_0000;

    private static readonly HashSet<string> s_specials =
    [
        "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z", "%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z",
        "%laneid", "%warpid", "%lanemask_eq", "%lanemask_lt", "%lanemask_le", "%dynamic_smem_size",
    ];

    private readonly Stack<Dictionary<string, Symbol>> _scopes = new();
    private readonly Stack<Dictionary<string, int>> _labels = new();
    private readonly Dictionary<ulong, int> _constants = [];
    private readonly Dictionary<string, int> _specials = [];
    private readonly List<int> _registers = [];
    private int _slots, _sharedBytes, _localBytes, _dynamicAlignment = 16;

    private void OpenScope()
    {
        _scopes.Push([]);
        _labels.Push([]);
    }

    private void CloseScope()
    {
        _scopes.Pop();
        _labels.Pop();
    }

    private void Add(string name, Symbol symbol)
    {
        if (!_scopes.Peek().TryAdd(name, symbol)) throw Reject($"'{name}' is declared twice in one scope");
    }

    private Symbol? Find(string name)
    {
        foreach (var scope in _scopes)
            if (scope.TryGetValue(name, out var symbol)) return symbol;
        return null;
    }

    private void Declare(Declaration declaration)
    {
        switch (declaration.Space)
        {
            case Space.Register:
                for (int n = 0; n < (declaration.IsRange ? declaration.Count : 1); n++)
                {
                    Add(declaration.IsRange ? $"{declaration.Name}{n}" : declaration.Name, new Symbol(Space.Register, (ulong)_slots));
                    _registers.Add(_slots++);
                }
                break;
            case Space.Shared when declaration.Count < 0:
                _dynamicAlignment = Math.Max(_dynamicAlignment, declaration.Alignment);
                Add(declaration.Name, new Symbol(Space.Shared, DynamicShared));
                break;
            case Space.Shared:
                _sharedBytes = Align(_sharedBytes, declaration.Alignment);
                Add(declaration.Name, new Symbol(Space.Shared, (ulong)_sharedBytes));
                _sharedBytes += declaration.Bytes;
                break;
            case Space.Local:
                _localBytes = Align(_localBytes, declaration.Alignment);
                Add(declaration.Name, new Symbol(Space.Local, (ulong)_localBytes));
                _localBytes += declaration.Bytes;
                break;
            default:
                throw new PtxRejectedException(declaration.Line, $"'{declaration.Name}': variables of .{declaration.Space} memory are not emulated");
        }
    }

    private int Constant(ulong value)
    {
        if (!_constants.TryGetValue(value, out int slot)) _constants.Add(value, slot = _slots++);
        return slot;
    }

    private Symbol Register(string name) => Find(name) is { Space: Space.Register } register ? register : throw Reject($"'{name}' is no register");

    private int Destination(Operand operand) => Register(operand.Name).Slot;

    /// <summary>The slot of an operand that is read: register, special register, number, or the address of a variable.</summary>
    private int Source(Operand operand, PtxType type)
    {
        if (operand.Kind == OperandKind.Literal) return Constant(Bits(operand.Literal, type));
        if (operand.Kind != OperandKind.Name) throw Reject($"'{operand}' cannot be read here");
        if (operand.Name == "WARP_SZ") return Constant(32);
        if (s_specials.Contains(operand.Name))
        {
            if (!_specials.TryGetValue(operand.Name, out int slot)) _specials.Add(operand.Name, slot = _slots++);
            return slot;
        }
        var symbol = Find(operand.Name) ?? throw Reject($"'{operand.Name}' is not declared");
        if (symbol.Space == Space.Register) return symbol.Slot;
        if (symbol.Value == DynamicShared && operand.Offset != 0) throw Reject("a sum with the address of dynamic shared memory is not emulated");
        return Constant(symbol.Value + (ulong)operand.Offset);
    }

    private static ulong Bits(Literal literal, PtxType type)
    {
        if (literal.Kind != LiteralKind.Decimal) return literal.Bits;
        double value = BitConverter.UInt64BitsToDouble(literal.Bits);
        return type == PtxType.F32 ? BitConverter.SingleToUInt32Bits((float)value) : literal.Bits;
    }

    /// <summary>The slots of a vector, or of one register.</summary>
    private int[] Slots(Operand operand, PtxType type) =>
        operand.Kind == OperandKind.Vector ? [.. operand.Items.Select(item => Source(item, type))] : [Source(operand, type)];

    private void Address(Instr result, Operand operand)
    {
        if (operand.Kind != OperandKind.Address) throw Reject($"'{operand}' is no address");
        result.Immediate = operand.Offset;
        result.A = operand.Name.Length == 0 ? Constant(0) : Source(new Operand(OperandKind.Name, _line) { Name = operand.Name }, PtxType.U64);
    }
}

using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Decoding;

internal abstract class Symbol;

internal sealed class Register(PtxType type, int slot) : Symbol
{
    public PtxType Type => type;
    public int Slot => slot;
}

/// <summary>A variable in memory, at an address of its space; of shared memory whose size the launch gives, the address is known at the end.</summary>
internal sealed class Variable(Space space, long offset, bool isDynamic = false) : Symbol
{
    public Space Space => space;
    public long Offset => offset;
    public bool IsDynamic => isDynamic;
}

internal sealed class Label(string name) : Symbol
{
    public string Name => name;
    public int Target { get; set; } = -1;
}

/// <summary>A register that the hardware fills, and the slot that stands for it.</summary>
internal enum Special : byte
{
    TidX, TidY, TidZ, NtidX, NtidY, NtidZ, CtaidX, CtaidY, CtaidZ, NctaidX, NctaidY, NctaidZ, LaneId, WarpId, NwarpId, SmId, GridId,
    LanemaskEq, LanemaskLt, LanemaskLe, LanemaskGt, LanemaskGe, DynamicSmemSize, TotalSmemSize,
}

/// <summary>Scopes, declarations, and the slots of registers, constants and special registers.</summary>
internal sealed partial class KernelDecoder
{
    private static readonly Dictionary<string, Special> s_specials = Enum.GetValues<Special>()
        .ToDictionary(special => "%" + Dotted(special.ToString()), StringComparer.Ordinal);

    private readonly Dictionary<ulong, int> _constants = [];
    private readonly List<ulong> _values = [];
    private readonly List<(int Slot, Special Special)> _specials = [];
    private readonly Dictionary<Special, int> _specialSlots = [];
    private readonly List<int> _dynamicAddresses = [];
    private readonly Dictionary<string, Variable> _moduleShared = [];
    private Stack<Dictionary<string, Symbol>> _scopes = new();
    private int _sharedBytes;
    private int _dynamicAlignment = 16;
    private int _localBytes;

    private static string Dotted(string name) => name switch
    {
        _ when name.StartsWith("Lanemask", StringComparison.Ordinal) => "lanemask_" + name[8..].ToLowerInvariant(),
        "DynamicSmemSize" => "dynamic_smem_size",
        "TotalSmemSize" => "total_smem_size",
        _ when name[^1] is 'X' or 'Y' or 'Z' => name[..^1].ToLowerInvariant() + "." + char.ToLowerInvariant(name[^1]),
        _ => name.ToLowerInvariant(),
    };

    private void OpenScope() => _scopes.Push([]);

    private void CloseScope() => _scopes.Pop();

    /// <summary>Leaves all scopes for those given, or for new ones, and gives the old ones.</summary>
    private Stack<Dictionary<string, Symbol>> SwapScopes(Stack<Dictionary<string, Symbol>>? scopes = null)
    {
        var old = _scopes;
        _scopes = scopes ?? new Stack<Dictionary<string, Symbol>>([[]]);
        return old;
    }

    private void Add(string name, Symbol symbol)
    {
        if (!_scopes.Peek().TryAdd(name, symbol)) throw Reject($"'{name}' is declared twice in one scope");
    }

    private Symbol? Find(string name)
    {
        foreach (var scope in _scopes)
            if (scope.TryGetValue(name, out var symbol)) return symbol;
        return ModuleVariable(name);
    }

    private Variable? ModuleVariable(string name)
    {
        if (!_module.Variables.TryGetValue(name, out var declaration)) return null;
        if (declaration.Space != Space.Shared) return new Variable(Space.Global, _module.Addresses[name]);
        // A kernel's share of memory counts what it uses, not all that its module declares.
        if (!_moduleShared.TryGetValue(name, out var variable)) _moduleShared.Add(name, variable = Shared(declaration));
        return variable;
    }

    private void Declare(Declaration declaration)
    {
        switch (declaration.Space)
        {
            case Space.Register when declaration.IsRange:
                for (int n = 0; n < declaration.Count; n++) Add($"{declaration.Name}{n}", new Register(declaration.Type, NewSlot()));
                break;
            case Space.Register:
                Add(declaration.Name, new Register(declaration.Type, NewSlot()));
                break;
            case Space.Shared:
                Add(declaration.Name, Shared(declaration));
                break;
            // Parameters of calls live like local variables.
            case Space.Local or Space.Param:
                _localBytes = Align(_localBytes, Math.Max(declaration.Alignment, 1));
                Add(declaration.Name, new Variable(Space.Local, AddressSpaces.Base + _localBytes));
                _localBytes += declaration.Bytes;
                break;
            default:
                throw Reject($"'{declaration.Name}': no such variable inside of a function");
        }
    }

    private Variable Shared(Declaration declaration)
    {
        if (declaration.Count < 0)
        {
            _dynamicAlignment = Math.Max(_dynamicAlignment, declaration.Alignment);
            return new Variable(Space.Shared, 0, isDynamic: true);
        }
        _sharedBytes = Align(_sharedBytes, Math.Max(declaration.Alignment, 1));
        var variable = new Variable(Space.Shared, AddressSpaces.Base + _sharedBytes);
        _sharedBytes += declaration.Bytes;
        return variable;
    }

    /// <summary>Memory of the size that the launch gives begins after all that is declared.</summary>
    private int PlaceDynamicShared()
    {
        int start = _dynamicAddresses.Count > 0 ? Align(_sharedBytes, _dynamicAlignment) : _sharedBytes;
        foreach (int slot in _dynamicAddresses) _values[slot / 8] += (ulong)(AddressSpaces.Base + start);
        return start;
    }

    /// <summary>A register that was never written reads as a NaN, and as an address that is nowhere.</summary>
    private int NewSlot(ulong value = ulong.MaxValue)
    {
        _values.Add(value);
        return (_values.Count - 1) * 8;
    }

    private int Constant(ulong value)
    {
        if (!_constants.TryGetValue(value, out int slot)) _constants.Add(value, slot = NewSlot(value));
        return slot;
    }

    private int SpecialSlot(Special special)
    {
        if (_specialSlots.TryGetValue(special, out int slot)) return slot;
        _specialSlots.Add(special, slot = NewSlot());
        _specials.Add((slot, special));
        return slot;
    }

    private ulong[] Template() => [.. _values];
}

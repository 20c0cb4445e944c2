using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Decoding;

/// <summary>The modifiers of one instruction, taken one by one; what remains at the end is something the emulator does not know.</summary>
internal sealed class Modifiers(Instruction instruction)
{
    private readonly List<string> _rest = [.. instruction.Modifiers];

    public bool Take(string modifier) => _rest.Remove(modifier);

    public bool Has(string modifier) => _rest.Contains(modifier);

    /// <summary>Takes all of them.</summary>
    public void Clear() => _rest.Clear();

    /// <summary>Takes the first of the given modifiers that is there, or gives null.</summary>
    public string? TakeAny(params ReadOnlySpan<string> modifiers)
    {
        foreach (string modifier in modifiers)
            if (_rest.Remove(modifier)) return modifier;
        return null;
    }

    /// <summary>Takes hints for caches, which change no result.</summary>
    public void DropHints() => _rest.RemoveAll(modifier =>
        modifier.StartsWith("L1::", StringComparison.Ordinal) || modifier.StartsWith("L2::", StringComparison.Ordinal)
        || modifier is "ca" or "cg" or "cs" or "lu" or "cv" or "wb" or "wt" or "nc" or "volatile" or "weak");

    /// <summary>Takes the last modifier, which must be a type.</summary>
    public PtxType TakeType()
    {
        if (_rest.Count == 0 || !PtxTypes.TryParse(_rest[^1], out var type)) throw Unknown();
        _rest.RemoveAt(_rest.Count - 1);
        return type;
    }

    public Space TakeSpace()
    {
        foreach (string modifier in _rest)
        {
            var space = modifier switch
            {
                "global" or "const" => Space.Global,
                "shared" or "shared::cta" => Space.Shared,
                "local" => Space.Local,
                "param" or "param::entry" or "param::func" => Space.Param,
                _ => Space.None,
            };
            if (space == Space.None) continue;
            _rest.Remove(modifier);
            return space;
        }
        return Space.Generic;
    }

    /// <summary>All modifiers must have been taken.</summary>
    public void End()
    {
        if (_rest.Count > 0) throw Unknown();
    }

    public PtxRejectedException Unknown() => new(instruction.Line, $"unknown instruction '{instruction.FullName}'");
}

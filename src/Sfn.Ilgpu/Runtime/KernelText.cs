using System.Text.RegularExpressions;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>What is changed in the texts that ILGPU writes before a driver compiles them.</summary>
internal static partial class KernelText
{
    /// <summary>
    /// PTX: <c>bra.uni</c> becomes <c>bra</c>, which is always allowed and lets the assembler unroll loops of constant length and keep arrays in
    /// registers; the entry gets a readable name. ILGPU looks its own name up while it loads the module, so an empty entry keeps that name.
    /// </summary>
    public static string Ptx(string text, string name)
    {
        var entry = PtxEntry().Match(text);
        string own = entry.Groups[1].Value;
        text = text.Replace("bra.uni", "bra", StringComparison.Ordinal);
        text = text.Replace($".entry {own}(", $".entry {name}(", StringComparison.Ordinal);
        return $"{text}\n.visible .entry {own}()\n{{\n\tret;\n}}\n";
    }

    /// <summary>
    /// OpenCL C: ILGPU's group barrier orders global memory only, which newer compilers take at its word; local memory must be ordered too.
    /// </summary>
    public static string OpenCl(string text) =>
        text.Replace("work_group_barrier ( CLK_GLOBAL_MEM_FENCE )", "work_group_barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)", StringComparison.Ordinal);

    /// <summary>A kernel name as an identifier.</summary>
    public static string Identifier(string name) => NotWord().Replace(name, "_");

    [GeneratedRegex(@"\.entry\s+(\w+)\s*\(")]
    private static partial Regex PtxEntry();

    [GeneratedRegex(@"\W+")]
    private static partial Regex NotWord();
}

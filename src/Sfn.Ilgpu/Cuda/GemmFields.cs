using System.Runtime.InteropServices;

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>The members of <see cref="GemmParameters"/> in registers. All are read at the head; what a kernel does not use costs nothing.</summary>
internal sealed class GemmFields
{
    private const string Name = "p";
    private readonly Dictionary<string, string> _registers = [];

    public GemmFields(PtxWriter writer)
    {
        writer.StructParameter(Name, Marshal.SizeOf<GemmParameters>());
        foreach (var field in typeof(GemmParameters).GetFields())
        {
            int offset = (int)Marshal.OffsetOf<GemmParameters>(field.Name);
            _registers.Add(field.Name, writer.Field(field.FieldType == typeof(ulong) ? "u64" : "u32", "p_" + field.Name, Name, offset));
        }
    }

    /// <summary>The register of a member.</summary>
    public string this[string field] => _registers[field];

    /// <summary>base + outer batch · stride0 + inner batch · stride1.</summary>
    public string Address(PtxWriter w, string name, TileOrder at, string origin, string stride0, string stride1)
    {
        string address = w.U64(name + "_origin");
        w.Op($"mad.lo.u64 {address}, {at.OuterBatch}, {this[stride0]}, {this[origin]}");
        w.Op($"mad.lo.u64 {address}, {at.InnerBatch}, {this[stride1]}, {address}");
        return address;
    }

    /// <summary>A predicate: whether a flag is set.</summary>
    public string Test(PtxWriter w, string name, GemmFlags flag)
    {
        string predicate = w.Predicate(name), bit = w.U32(name + "_bit");
        w.Op($"and.b32 {bit}, {this[nameof(GemmParameters.Flags)]}, {(uint)flag}");
        w.Op($"setp.ne.u32 {predicate}, {bit}, 0");
        return predicate;
    }
}

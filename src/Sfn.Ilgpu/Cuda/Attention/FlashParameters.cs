using System.Runtime.InteropServices;

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>The single parameter of every attention kernel on tensor cores. Addresses are device addresses, distances are bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FlashParameters
{
    /// <summary>First elements; Lse, Delta and Shift are float32 [batch, heads, tq].</summary>
    public ulong Q, K, V, O, DO, DQ, DK, DV, Lse, Delta, Shift, Mask;

    /// <summary>Distances of neighbouring batch elements.</summary>
    public ulong QBatch, KBatch, VBatch, OBatch, DOBatch, DQBatch, DKBatch, DVBatch, MaskBatch;

    /// <summary>Distances of neighbouring tokens.</summary>
    public ulong QToken, KToken, VToken, OToken, DOToken, DQToken, DKToken, DVToken, MaskKey;

    /// <summary>Distances of neighbouring heads.</summary>
    public ulong QHead, KHead, VHead, OHead, DOHead, DQHead, DKHead, DVHead;

    /// <summary>Sizes; Group is heads per key/value head.</summary>
    public uint Tq, Tk, Heads, KvHeads, Group;

    /// <summary>Tiles of rows per head.</summary>
    public uint Tiles;

    /// <summary>Rows of all heads, for the kernel that treats them alike.</summary>
    public uint Total;

    /// <summary>1 if query i sees keys up to i + tk − tq only.</summary>
    public uint Causal;

    /// <summary>Factor on the scores, and the same times log2 e.</summary>
    public float Scale, ScaleLog2;
}

/// <summary>The members of <see cref="FlashParameters"/> in a kernel: each is read on first use.</summary>
internal sealed class FlashFields
{
    private const string Name = "p";
    private readonly PtxWriter _writer;

    public FlashFields(PtxWriter writer)
    {
        _writer = writer;
        writer.StructParameter(Name, Marshal.SizeOf<FlashParameters>());
    }

    /// <summary>A register with the member's value.</summary>
    public string this[string field]
    {
        get
        {
            var type = typeof(FlashParameters).GetField(field)!.FieldType;
            string ptx = type == typeof(ulong) ? "u64" : type == typeof(float) ? "f32" : "u32";
            return _writer.Field(ptx, "p_" + field, Name, (int)Marshal.OffsetOf<FlashParameters>(field));
        }
    }

    /// <summary>The lower 32 bits of an address-sized member.</summary>
    public string Low(string field) => _writer.Field("u32", "p_" + field, Name, (int)Marshal.OffsetOf<FlashParameters>(field));

    /// <summary>Address of token 0 of a head: operand + batch · distance + head · distance.</summary>
    public string Head(string operand, string batch, string head)
    {
        string address = _writer.U64(operand + "_head"), index = _writer.U64(operand + "_index");
        _writer.Op($"cvt.u64.u32 {index}, {batch}");
        _writer.Op($"mad.lo.u64 {address}, {index}, {this[operand + "Batch"]}, {this[operand]}");
        _writer.Op($"cvt.u64.u32 {index}, {head}");
        _writer.Op($"mad.lo.u64 {address}, {index}, {this[operand + "Head"]}, {address}");
        return address;
    }
}

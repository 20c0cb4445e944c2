namespace Sfn.CudaEmulator.Text;

/// <summary>The types that instructions, registers and variables carry.</summary>
internal enum PtxType : byte
{
    None, Pred, B8, B16, B32, B64, B128, U8, U16, U32, U64, S8, S16, S32, S64, F16, BF16, F16X2, BF16X2, TF32, F32, F64, E4M3X2, E5M2X2,
}

internal static class PtxTypes
{
    private static readonly Dictionary<string, PtxType> s_names = Enum.GetValues<PtxType>().ToDictionary(type => type.ToString().ToLowerInvariant());

    public static bool TryParse(string name, out PtxType type) => s_names.TryGetValue(name, out type) && type != PtxType.None;

    /// <summary>Bytes in memory.</summary>
    public static int Size(this PtxType type) => type switch
    {
        PtxType.B8 or PtxType.U8 or PtxType.S8 => 1,
        PtxType.B16 or PtxType.U16 or PtxType.S16 or PtxType.F16 or PtxType.BF16 or PtxType.E4M3X2 or PtxType.E5M2X2 => 2,
        PtxType.B32 or PtxType.U32 or PtxType.S32 or PtxType.F32 or PtxType.F16X2 or PtxType.BF16X2 or PtxType.TF32 => 4,
        PtxType.B64 or PtxType.U64 or PtxType.S64 or PtxType.F64 => 8,
        PtxType.B128 => 16,
        _ => 0,
    };

    public static bool IsSigned(this PtxType type) => type is >= PtxType.S8 and <= PtxType.S64;

    public static bool IsUnsigned(this PtxType type) => type is >= PtxType.U8 and <= PtxType.U64;

    public static bool IsBits(this PtxType type) => type is >= PtxType.B8 and <= PtxType.B128;

    public static bool IsInteger(this PtxType type) => type is >= PtxType.B8 and <= PtxType.S64;

    /// <summary>A floating-point type that registers can be declared with.</summary>
    public static bool IsFloat(this PtxType type) => type is PtxType.F16 or PtxType.F32 or PtxType.F64;

    /// <summary>As PTX writes it, without the dot.</summary>
    public static string Text(this PtxType type) => type.ToString().ToLowerInvariant();
}

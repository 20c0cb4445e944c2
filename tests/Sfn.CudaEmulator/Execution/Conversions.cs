using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Execution;

/// <summary>The many forms of cvt.</summary>
internal static class Conversions
{
    public static Scalar? Find(ReadOnlySpan<string> parts)
    {
        switch (string.Join('.', parts))
        {
            case "cvt.rna.tf32.f32": return static (a, _, _) => Tf32((uint)a, tiesToEven: false);
            case "cvt.rn.tf32.f32": return static (a, _, _) => Tf32((uint)a, tiesToEven: true);
            case "cvt.rn.bf16x2.f32": return static (a, b, _) => ((uint)Bf16(Scalars.F(a)) << 16) | Bf16(Scalars.F(b));
            case "cvt.rn.bf16.f32": return static (a, _, _) => Bf16(Scalars.F(a));
        }
        if (parts.Length is < 3 or > 4 || !PtxTypes.TryParse(parts[^1], out var from) || !PtxTypes.TryParse(parts[^2], out var to)) return null;
        string rounding = parts.Length == 4 ? parts[1] : "";
        bool known = (from, to) switch
        {
            (PtxType.F32 or PtxType.F64, PtxType.F32 or PtxType.F64) => rounding is "" or "rn" or "rni" or "rzi" or "rmi" or "rpi",
            (PtxType.F32 or PtxType.F64, _) => rounding is "rni" or "rzi" or "rmi" or "rpi" && to.IsInteger() && !to.IsBits(),
            (_, PtxType.F32 or PtxType.F64) => rounding is "rn" && from.IsInteger() && !from.IsBits(),
            _ => rounding == "" && from.IsInteger() && to.IsInteger() && !from.IsBits() && !to.IsBits(),
        };
        if (!known) return null;
        var read = Reader(from);
        if (from.IsInteger() && to.IsInteger()) return FromInteger(from, to);
        if (from.IsInteger()) return ToFloat(from, to);
        Func<double, double> round = rounding switch
        {
            "rni" => static x => Math.Round(x, MidpointRounding.ToEven),
            "rzi" => Math.Truncate,
            "rmi" => Math.Floor,
            "rpi" => Math.Ceiling,
            _ => static x => x,
        };
        if (to == PtxType.F32) return (a, _, _) => Scalars.U((float)round(read(a)));
        if (to == PtxType.F64) return (a, _, _) => Scalars.U(round(read(a)));
        // Out of range goes to the nearest integer of the type; NaN to zero (64 bits: the highest bit alone).
        ulong notANumber = to.Size() == 8 ? 1UL << 63 : 0;
        Func<double, ulong> saturate = to switch
        {
            PtxType.S8 => static x => (ulong)sbyte.CreateSaturating(x),
            PtxType.S16 => static x => (ulong)short.CreateSaturating(x),
            PtxType.S32 => static x => (ulong)int.CreateSaturating(x),
            PtxType.S64 => static x => (ulong)long.CreateSaturating(x),
            PtxType.U8 => static x => byte.CreateSaturating(x),
            PtxType.U16 => static x => ushort.CreateSaturating(x),
            PtxType.U32 => static x => uint.CreateSaturating(x),
            _ => ulong.CreateSaturating,
        };
        return (a, _, _) => double.IsNaN(read(a)) ? notANumber : saturate(round(read(a)));
    }

    /// <summary>float32 rounded to tf32's 10 bits of mantissa.</summary>
    public static uint Tf32(uint bits, bool tiesToEven) =>
        (bits & 0x7F80_0000) == 0x7F80_0000 ? bits : (bits + (tiesToEven ? 0xFFF + ((bits >> 13) & 1) : 0x1000)) & ~0x1FFFu;

    private static uint Bf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? 0x7FFF : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    }

    private static Func<ulong, double> Reader(PtxType type) => type == PtxType.F32 ? static bits => Scalars.F(bits) : Scalars.D;

    private static Scalar ToFloat(PtxType from, PtxType to)
    {
        int shift = 64 - 8 * from.Size();
        return (from.IsSigned(), to) switch
        {
            (true, PtxType.F32) => (a, _, _) => Scalars.U((float)((long)(a << shift) >> shift)),
            (true, _) => (a, _, _) => Scalars.U((double)((long)(a << shift) >> shift)),
            (false, PtxType.F32) => (a, _, _) => Scalars.U((float)(a << shift >> shift)),
            _ => (a, _, _) => Scalars.U((double)(a << shift >> shift)),
        };
    }

    private static Scalar FromInteger(PtxType from, PtxType to)
    {
        int source = 64 - 8 * from.Size(), target = 64 - 8 * to.Size();
        bool signed = from.IsSigned(), into = to.IsSigned();
        return (a, _, _) =>
        {
            ulong value = signed ? (ulong)((long)(a << source) >> source) : a << source >> source;
            return into ? (ulong)((long)(value << target) >> target) : value << target >> target;
        };
    }
}

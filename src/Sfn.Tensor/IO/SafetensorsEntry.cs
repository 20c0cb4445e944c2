namespace Sfn.IO;

/// <summary>One tensor of a safetensors file: its name, element type, shape and the place of its bytes.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="DType">The element type as the file spells it: F32, F64, F16, BF16, I32, U16, U8, BOOL, ….</param>
/// <param name="Shape">Sizes, outermost first; empty for a scalar. Row-major, without gaps.</param>
/// <param name="Offset">First byte, counted from the start of the data section.</param>
/// <param name="ByteCount">Number of bytes.</param>
public sealed record SafetensorsEntry(string Name, string DType, IReadOnlyList<long> Shape, long Offset, long ByteCount)
{
    /// <summary>Number of elements: the product of the shape, 1 for a scalar.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>The element types that the safetensors format knows.</summary>
internal static class SafetensorsDType
{
    /// <summary>Bits per element, or 0 for a name the format does not know.</summary>
    public static int Bits(string dtype) => dtype switch
    {
        "F4" => 4,
        "F6_E2M3" or "F6_E3M2" => 6,
        "BOOL" or "U8" or "I8" or "F8_E5M2" or "F8_E4M3" or "F8_E8M0" => 8,
        "I16" or "U16" or "F16" or "BF16" => 16,
        "I32" or "U32" or "F32" => 32,
        "I64" or "U64" or "F64" or "C64" => 64,
        _ => 0,
    };

    /// <summary>Bytes of a tensor, or false if the size overflows or does not end on a whole byte.</summary>
    public static bool TryByteCount(int bitsPerElement, ReadOnlySpan<long> shape, out long bytes)
    {
        bytes = 0;
        UInt128 bits = (UInt128)bitsPerElement;
        bool empty = false;
        foreach (long size in shape)
        {
            if (size < 0) return false;
            if (size == 0) { empty = true; continue; }
            if (bits > (UInt128)ulong.MaxValue) return false;
            bits *= (ulong)size;
        }
        if (bits % 8 != 0 && !empty) return false;
        if (bits / 8 > (UInt128)long.MaxValue) return false;
        bytes = empty ? 0 : (long)(bits / 8);
        return true;
    }
}

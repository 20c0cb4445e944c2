using System.Runtime.CompilerServices;

namespace Sfn;

/// <summary>Element type of a tensor.</summary>
public enum DType : byte
{
    /// <summary>IEEE float32: parameters, activations, gradients.</summary>
    F32,
    /// <summary>IEEE float64: checks against the reference semantics.</summary>
    F64,
    /// <summary>bfloat16 storage, 8 bits of mantissa; computed in float32 or better and rounded to nearest even on store.</summary>
    BF16,
    /// <summary>Signed 32-bit integer: token ids, indices.</summary>
    I32,
    /// <summary>Unsigned 16-bit integer: stored tokens.</summary>
    U16,
    /// <summary>Unsigned 8-bit integer: stored bytes.</summary>
    U8,
    /// <summary>0 or 1 in one byte: masks and comparisons.</summary>
    Bool,
}

/// <summary>Facts about <see cref="DType"/> values.</summary>
public static class DTypes
{
    /// <summary>Bytes per element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Size(this DType dtype) => dtype is DType.F32 or DType.I32 ? 4 : dtype switch
    {
        DType.F64 => 8,
        DType.BF16 or DType.U16 => 2,
        _ => 1,
    };

    /// <summary>Whether values are real numbers, so that a gradient can exist.</summary>
    public static bool IsFloat(this DType dtype) => dtype <= DType.BF16;

    /// <summary>The element type of sums, statistics and losses over this one: float32 for bfloat16, else the type itself.</summary>
    public static DType Wide(this DType dtype) => dtype == DType.BF16 ? DType.F32 : dtype;

    /// <summary>The name used by safetensors and in printing: F32, F64, BF16, I32, U16, U8, BOOL.</summary>
    public static string Name(this DType dtype) => dtype switch
    {
        DType.F32 => "F32",
        DType.F64 => "F64",
        DType.BF16 => "BF16",
        DType.I32 => "I32",
        DType.U16 => "U16",
        DType.U8 => "U8",
        _ => "BOOL",
    };

    /// <summary>The dtype whose elements are <typeparamref name="T"/> in .NET.</summary>
    /// <exception cref="DTypeMismatch">No dtype has that element type.</exception>
    public static DType Of<T>() where T : unmanaged => default(T) switch
    {
        float => DType.F32,
        double => DType.F64,
        BFloat16 => DType.BF16,
        int => DType.I32,
        ushort => DType.U16,
        byte => DType.U8,
        bool => DType.Bool,
        _ => throw new DTypeMismatch($"No tensor dtype has elements of {default(T).GetType().Name}. Use float, double, BFloat16, int, ushort, byte or bool."),
    };
}

/// <summary>A bfloat16 number: the upper half of a float32. Rounds to nearest, ties to even; NaN stays NaN.</summary>
public readonly struct BFloat16(ushort bits) : IEquatable<BFloat16>
{
    /// <summary>Sign, 8 bits of exponent, 7 bits of mantissa.</summary>
    public ushort Bits { get; } = bits;

    /// <summary>Rounds a float32.</summary>
    public static explicit operator BFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return new((ushort)(bits >> 16 | 0x40));
        return new((ushort)(bits + 0x7FFF + (bits >> 16 & 1) >> 16));
    }

    /// <summary>Widens, exactly.</summary>
    public static implicit operator float(BFloat16 value) => BitConverter.UInt32BitsToSingle((uint)value.Bits << 16);

    /// <inheritdoc/>
    public bool Equals(BFloat16 other) => Bits == other.Bits;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is BFloat16 other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Bits;

    /// <inheritdoc/>
    public override string ToString() => ((float)this).ToString();

    /// <summary>Equal bits.</summary>
    public static bool operator ==(BFloat16 a, BFloat16 b) => a.Equals(b);

    /// <summary>Different bits.</summary>
    public static bool operator !=(BFloat16 a, BFloat16 b) => !a.Equals(b);
}

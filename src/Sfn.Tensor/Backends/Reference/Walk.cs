using System.Runtime.CompilerServices;

namespace Sfn.Backends.Reference;

/// <summary>Reads and writes single elements of host memory as float64, whatever their type.</summary>
internal static unsafe class Element
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Read(byte* p, DType dtype, long i) => dtype switch
    {
        DType.F32 => ((float*)p)[i],
        DType.F64 => ((double*)p)[i],
        DType.BF16 => ((BFloat16*)p)[i],
        DType.I32 => ((int*)p)[i],
        DType.U16 => ((ushort*)p)[i],
        DType.U8 => p[i],
        _ => p[i] != 0 ? 1 : 0,
    };

    // Out-of-range values saturate for integers; NaN becomes 0, as .NET's conversions define.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(byte* p, DType dtype, long i, double value)
    {
        switch (dtype)
        {
            case DType.F32: ((float*)p)[i] = (float)value; break;
            case DType.F64: ((double*)p)[i] = value; break;
            case DType.BF16: ((BFloat16*)p)[i] = RoundToBFloat16(value); break;
            case DType.I32: ((int*)p)[i] = (int)value; break;
            case DType.U16: ((ushort*)p)[i] = (ushort)Math.Clamp(double.IsNaN(value) ? 0 : value, 0, ushort.MaxValue); break;
            case DType.U8: p[i] = (byte)Math.Clamp(double.IsNaN(value) ? 0 : value, 0, byte.MaxValue); break;
            default: p[i] = value != 0 ? (byte)1 : (byte)0; break;
        }
    }

    // Rounding twice (float64 to float32 to bfloat16) can go the wrong way at a tie; round to odd in between prevents it.
    private static BFloat16 RoundToBFloat16(double value)
    {
        float single = (float)value;
        if (single != value && float.IsFinite(single))
        {
            if (Math.Abs(single) > Math.Abs(value)) single = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(single) - 1);
            single = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(single) | 1);
        }
        return (BFloat16)single;
    }
}

/// <summary>Steps through the elements of up to four views of one shape in row-major order, giving each view's element offset.</summary>
internal ref struct Walk
{
    private readonly Shape _shape;
    private readonly Strides _a, _b, _c, _d;
    private Strides _position;
    private long _left;

    public Walk(in Shape shape, in Strides a, in Strides b = default, in Strides c = default, in Strides d = default)
    {
        _shape = shape;
        _a = a;
        _b = b;
        _c = c;
        _d = d;
        _left = shape.Count;
    }

    public long A { get; private set; }
    public long B { get; private set; }
    public long C { get; private set; }
    public long D { get; private set; }

    public readonly bool Valid => _left > 0;

    public void Next()
    {
        if (--_left <= 0) return;
        for (int i = _shape.Rank - 1; i >= 0; i--)
        {
            A += _a[i];
            B += _b[i];
            C += _c[i];
            D += _d[i];
            if (++_position[i] < _shape[i]) return;
            long n = _shape[i];
            A -= n * _a[i];
            B -= n * _b[i];
            C -= n * _c[i];
            D -= n * _d[i];
            _position[i] = 0;
        }
    }
}

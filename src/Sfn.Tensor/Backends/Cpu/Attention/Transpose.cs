using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Sfn.Backends.Cpu;

/// <summary>Small strided transposes, which turn the rows of a query block into the lanes of a vector and back.</summary>
internal static unsafe class Transpose
{
    /// <summary>to[c, r] = from[r, c] · factor · perColumn[c] (perColumn may be null). Strides are in floats.</summary>
    public static void Run(float* from, long fromRow, int rows, int columns, float* to, long toRow, float factor, float* perColumn)
    {
        int r = 0;
        for (; r + 4 <= rows; r += 4)
        {
            float* f = from + r * fromRow;
            float* t = to + r;
            int c = 0;
            for (; c + 4 <= columns; c += 4)
            {
                var scale = Vector128.Create(factor);
                if (perColumn != null) scale *= Vector128.Load(perColumn + c);
                var x0 = Vector128.Load(f + c) * scale;
                var x1 = Vector128.Load(f + fromRow + c) * scale;
                var x2 = Vector128.Load(f + 2 * fromRow + c) * scale;
                var x3 = Vector128.Load(f + 3 * fromRow + c) * scale;
                Square4(ref x0, ref x1, ref x2, ref x3);
                float* d = t + c * toRow;
                x0.Store(d);
                x1.Store(d + toRow);
                x2.Store(d + 2 * toRow);
                x3.Store(d + 3 * toRow);
            }
            Scalar(f, fromRow, 4, c, columns, t, toRow, factor, perColumn);
        }
        Scalar(from + r * fromRow, fromRow, rows - r, 0, columns, to + r, toRow, factor, perColumn);
    }

    private static void Scalar(float* from, long fromRow, int rows, int column, int columns, float* to, long toRow, float factor, float* perColumn)
    {
        for (int c = column; c < columns; c++)
        {
            float scale = perColumn != null ? factor * perColumn[c] : factor;
            for (int r = 0; r < rows; r++) to[c * toRow + r] = from[r * fromRow + c] * scale;
        }
    }

    /// <summary>Transposes the 4 × 4 matrix whose rows are the arguments.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Square4(ref Vector128<float> a, ref Vector128<float> b, ref Vector128<float> c, ref Vector128<float> d)
    {
        Vector128<float> ac, bd, ac2, bd2;
        if (Sse.IsSupported)
        {
            ac = Sse.UnpackLow(a, c);
            bd = Sse.UnpackLow(b, d);
            ac2 = Sse.UnpackHigh(a, c);
            bd2 = Sse.UnpackHigh(b, d);
            a = Sse.UnpackLow(ac, bd);
            b = Sse.UnpackHigh(ac, bd);
            c = Sse.UnpackLow(ac2, bd2);
            d = Sse.UnpackHigh(ac2, bd2);
        }
        else if (AdvSimd.Arm64.IsSupported)
        {
            ac = AdvSimd.Arm64.ZipLow(a, c);
            bd = AdvSimd.Arm64.ZipLow(b, d);
            ac2 = AdvSimd.Arm64.ZipHigh(a, c);
            bd2 = AdvSimd.Arm64.ZipHigh(b, d);
            a = AdvSimd.Arm64.ZipLow(ac, bd);
            b = AdvSimd.Arm64.ZipHigh(ac, bd);
            c = AdvSimd.Arm64.ZipLow(ac2, bd2);
            d = AdvSimd.Arm64.ZipHigh(ac2, bd2);
        }
        else
        {
            ac = Vector128.Create(a[0], b[0], c[0], d[0]);
            bd = Vector128.Create(a[1], b[1], c[1], d[1]);
            ac2 = Vector128.Create(a[2], b[2], c[2], d[2]);
            bd2 = Vector128.Create(a[3], b[3], c[3], d[3]);
            (a, b, c, d) = (ac, bd, ac2, bd2);
        }
    }
}

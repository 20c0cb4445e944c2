using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Sfn.Backends.Cpu;

/// <summary>Small strided transposes, which turn the rows of a query block into the lanes of a vector and back.</summary>
internal static unsafe class Transpose
{
    /// <summary>panel[c, r] = rows[r, c] · factor, with a panel row of <paramref name="panelRow"/> floats. Strides are in floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToPanel(float* rows, long row, int count, int columns, float* panel, long panelRow, float factor)
    {
        // The outer loop walks the far side, whose rows come from and go to memory; the panel is in the first-level cache.
        var scale = Vector128.Create(factor);
        int r = 0;
        for (; r + 4 <= count; r += 4)
        {
            float* from = rows + r * row;
            int c = 0;
            for (; c + 4 <= columns; c += 4) Block(from + c, row, panel + c * panelRow + r, panelRow, scale);
            for (; c < columns; c++)
                for (int i = 0; i < 4; i++) panel[c * panelRow + r + i] = from[i * row + c] * factor;
        }
        for (; r < count; r++)
            for (int c = 0; c < columns; c++) panel[c * panelRow + r] = rows[r * row + c] * factor;
    }

    /// <summary>rows[r, c] = panel[c, r] · factors[r].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToRows(float* panel, long panelRow, float* rows, long row, int count, int columns, float* factors)
    {
        int r = 0;
        for (; r + 4 <= count; r += 4)
        {
            float* to = rows + r * row;
            var scale = Vector128.Load(factors + r);
            int c = 0;
            for (; c + 4 <= columns; c += 4) Block(panel + c * panelRow + r, panelRow, to + c, row, scale);
            for (; c < columns; c++)
                for (int i = 0; i < 4; i++) to[i * row + c] = panel[c * panelRow + r + i] * factors[r + i];
        }
        for (; r < count; r++)
            for (int c = 0; c < columns; c++) rows[r * row + c] = panel[c * panelRow + r] * factors[r];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block(float* from, long fromRow, float* to, long toRow, Vector128<float> scale)
    {
        var (a, b, c, d) = Square4(
            Vector128.Load(from) * scale, Vector128.Load(from + fromRow) * scale,
            Vector128.Load(from + 2 * fromRow) * scale, Vector128.Load(from + 3 * fromRow) * scale);
        a.Store(to);
        b.Store(to + toRow);
        c.Store(to + 2 * toRow);
        d.Store(to + 3 * toRow);
    }

    private static void Scalar(float* from, long fromRow, int rows, int column, int columns, float* to, long toRow, float factor, float* perColumn)
    {
        for (int c = column; c < columns; c++)
        {
            float scale = perColumn != null ? factor * perColumn[c] : factor;
            for (int r = 0; r < rows; r++) to[c * toRow + r] = from[r * fromRow + c] * scale;
        }
    }

    /// <summary>Transposes the 4 × 4 matrix whose rows are the arguments. By value: references would keep the vectors in memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> A, Vector128<float> B, Vector128<float> C, Vector128<float> D) Square4(
        Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        if (Sse.IsSupported)
        {
            Vector128<float> ac = Sse.UnpackLow(a, c), bd = Sse.UnpackLow(b, d), ac2 = Sse.UnpackHigh(a, c), bd2 = Sse.UnpackHigh(b, d);
            return (Sse.UnpackLow(ac, bd), Sse.UnpackHigh(ac, bd), Sse.UnpackLow(ac2, bd2), Sse.UnpackHigh(ac2, bd2));
        }
        if (AdvSimd.Arm64.IsSupported)
        {
            Vector128<float> ac = AdvSimd.Arm64.ZipLow(a, c), bd = AdvSimd.Arm64.ZipLow(b, d);
            Vector128<float> ac2 = AdvSimd.Arm64.ZipHigh(a, c), bd2 = AdvSimd.Arm64.ZipHigh(b, d);
            return (AdvSimd.Arm64.ZipLow(ac, bd), AdvSimd.Arm64.ZipHigh(ac, bd), AdvSimd.Arm64.ZipLow(ac2, bd2), AdvSimd.Arm64.ZipHigh(ac2, bd2));
        }
        return (Vector128.Create(a[0], b[0], c[0], d[0]), Vector128.Create(a[1], b[1], c[1], d[1]),
            Vector128.Create(a[2], b[2], c[2], d[2]), Vector128.Create(a[3], b[3], c[3], d[3]));
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Sfn.Backends.Cpu;

/// <summary>Copies operands into the order in which the micro-kernels read them.</summary>
internal static unsafe class GemmPack
{
    private const int Ahead = 16;   // rows by which strided copies prefetch
    private const MethodImplOptions Hot = MethodImplOptions.AggressiveOptimization;

    /// <summary>d[k * width + n] = s[k * row + n * col] for k below kc and n below cols; columns up to width become zero.</summary>
    public static void B(float* d, int width, float* s, long row, long col, int kc, int cols)
    {
        if (col == 1) Rows(d, width, s, row, kc, cols);
        else if (row == 1) Transposed(d, width, s, col, kc, cols);
        else if (col is 2 or 4 or 8)
        {
            for (int k = 0; k < kc; k++)
            {
                GemmStride.Gather(d, s + k * row, cols, col);
                for (int n = cols; n < width; n++) d[n] = 0;
                d += width;
            }
        }
        else
        {
            for (int k = 0; k < kc; k++)
            {
                float* q = s + k * row;
                for (int n = 0; n < cols; n++) d[n] = q[n * col];
                for (int n = cols; n < width; n++) d[n] = 0;
                d += width;
            }
        }
    }

    [MethodImpl(Hot)]
    private static void Rows(float* d, int width, float* s, long row, int kc, int cols)
    {
        if (Vector512.IsHardwareAccelerated && cols == 48)
        {
            // A few floats of many pages: the hardware prefetcher stops at each page, so the lines are asked for here.
            for (; kc > 0; kc--)
            {
                float* ahead = s + Ahead * row;
                Sse.Prefetch0(ahead);
                Sse.Prefetch0(ahead + 16);
                Sse.Prefetch0(ahead + 32);
                Vector512.Load(s).Store(d);
                Vector512.Load(s + 16).Store(d + 16);
                Vector512.Load(s + 32).Store(d + 32);
                d += 48;
                s += row;
            }
            return;
        }
        for (; kc > 0; kc--)
        {
            int n = 0;
            for (; n + 4 <= cols; n += 4) Vector128.Load(s + n).Store(d + n);
            for (; n < cols; n++) d[n] = s[n];
            for (; n < width; n++) d[n] = 0;
            d += width;
            s += row;
        }
    }

    private static void Transposed(float* d, int width, float* s, long col, int kc, int cols)
    {
        int n = 0;
        if (Vector512.IsHardwareAccelerated) for (; n + 16 <= cols; n += 16) Transpose16(d + n, width, s + n * col, col, kc);
        if (Avx.IsSupported) for (; n + 8 <= cols; n += 8) Transpose8(d + n, width, s + n * col, col, kc);
        else if (Sse.IsSupported || AdvSimd.Arm64.IsSupported) for (; n + 4 <= cols; n += 4) Transpose4(d + n, width, s + n * col, col, kc);
        for (; n < cols; n++) for (int k = 0; k < kc; k++) d[(long)k * width + n] = s[n * col + k];
        if (n < width) for (int k = 0; k < kc; k++) for (int z = n; z < width; z++) d[(long)k * width + z] = 0;
    }

    [MethodImpl(Hot)]
    private static void Transpose16(float* d, long width, float* s, long ld, int kc)
    {
        int k = 0;
        for (; k + 8 <= kc; k += 8)
        {
            Load8(s + k, ld, out var a0, out var a1, out var a2, out var a3, out var a4, out var a5, out var a6, out var a7);
            Load8(s + k + 8 * ld, ld, out var b0, out var b1, out var b2, out var b3, out var b4, out var b5, out var b6, out var b7);
            Vector512.Create(a0, b0).Store(d);
            Vector512.Create(a1, b1).Store(d + width);
            Vector512.Create(a2, b2).Store(d + 2 * width);
            Vector512.Create(a3, b3).Store(d + 3 * width);
            float* q = d + 4 * width;
            Vector512.Create(a4, b4).Store(q);
            Vector512.Create(a5, b5).Store(q + width);
            Vector512.Create(a6, b6).Store(q + 2 * width);
            Vector512.Create(a7, b7).Store(q + 3 * width);
            d = q + 4 * width;
        }
        for (; k < kc; k++)
        {
            for (int n = 0; n < 16; n++) d[n] = s[n * ld + k];
            d += width;
        }
    }

    [MethodImpl(Hot)]
    private static void Transpose8(float* d, long width, float* s, long ld, int kc)
    {
        int k = 0;
        for (; k + 8 <= kc; k += 8)
        {
            Load8(s + k, ld, out var a0, out var a1, out var a2, out var a3, out var a4, out var a5, out var a6, out var a7);
            a0.Store(d);
            a1.Store(d + width);
            a2.Store(d + 2 * width);
            a3.Store(d + 3 * width);
            float* q = d + 4 * width;
            a4.Store(q);
            a5.Store(q + width);
            a6.Store(q + 2 * width);
            a7.Store(q + 3 * width);
            d = q + 4 * width;
        }
        for (; k < kc; k++)
        {
            for (int n = 0; n < 8; n++) d[n] = s[n * ld + k];
            d += width;
        }
    }

    [MethodImpl(Hot)]
    private static void Transpose4(float* d, long width, float* s, long ld, int kc)
    {
        int k = 0;
        for (; k + 4 <= kc; k += 4)
        {
            var a = Vector128.Load(s + k);
            var b = Vector128.Load(s + k + ld);
            var c = Vector128.Load(s + k + 2 * ld);
            var e = Vector128.Load(s + k + 3 * ld);
            Vector128<float> ab, ab2, ce, ce2;
            if (Sse.IsSupported)
            {
                ab = Sse.UnpackLow(a, b);
                ab2 = Sse.UnpackHigh(a, b);
                ce = Sse.UnpackLow(c, e);
                ce2 = Sse.UnpackHigh(c, e);
            }
            else
            {
                ab = AdvSimd.Arm64.ZipLow(a, b);
                ab2 = AdvSimd.Arm64.ZipHigh(a, b);
                ce = AdvSimd.Arm64.ZipLow(c, e);
                ce2 = AdvSimd.Arm64.ZipHigh(c, e);
            }
            Vector128.Create(ab.GetLower(), ce.GetLower()).Store(d);
            Vector128.Create(ab.GetUpper(), ce.GetUpper()).Store(d + width);
            Vector128.Create(ab2.GetLower(), ce2.GetLower()).Store(d + 2 * width);
            Vector128.Create(ab2.GetUpper(), ce2.GetUpper()).Store(d + 3 * width);
            d += 4 * width;
        }
        for (; k < kc; k++)
        {
            for (int n = 0; n < 4; n++) d[n] = s[n * ld + k];
            d += width;
        }
    }

    // An 8 x 8 block, transposed: o[i] holds element i of each of the eight rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load8(float* s, long ld, out Vector256<float> o0, out Vector256<float> o1, out Vector256<float> o2, out Vector256<float> o3,
        out Vector256<float> o4, out Vector256<float> o5, out Vector256<float> o6, out Vector256<float> o7)
    {
        var r0 = Vector256.Load(s);
        var r1 = Vector256.Load(s + ld);
        var r2 = Vector256.Load(s + 2 * ld);
        var r3 = Vector256.Load(s + 3 * ld);
        var r4 = Vector256.Load(s + 4 * ld);
        var r5 = Vector256.Load(s + 5 * ld);
        var r6 = Vector256.Load(s + 6 * ld);
        var r7 = Vector256.Load(s + 7 * ld);
        var t0 = Avx.UnpackLow(r0, r1);
        var t1 = Avx.UnpackHigh(r0, r1);
        var t2 = Avx.UnpackLow(r2, r3);
        var t3 = Avx.UnpackHigh(r2, r3);
        var t4 = Avx.UnpackLow(r4, r5);
        var t5 = Avx.UnpackHigh(r4, r5);
        var t6 = Avx.UnpackLow(r6, r7);
        var t7 = Avx.UnpackHigh(r6, r7);
        var u0 = Avx.Shuffle(t0, t2, 0x44);
        var u1 = Avx.Shuffle(t0, t2, 0xEE);
        var u2 = Avx.Shuffle(t1, t3, 0x44);
        var u3 = Avx.Shuffle(t1, t3, 0xEE);
        var u4 = Avx.Shuffle(t4, t6, 0x44);
        var u5 = Avx.Shuffle(t4, t6, 0xEE);
        var u6 = Avx.Shuffle(t5, t7, 0x44);
        var u7 = Avx.Shuffle(t5, t7, 0xEE);
        o0 = Avx.Permute2x128(u0, u4, 0x20);
        o1 = Avx.Permute2x128(u1, u5, 0x20);
        o2 = Avx.Permute2x128(u2, u6, 0x20);
        o3 = Avx.Permute2x128(u3, u7, 0x20);
        o4 = Avx.Permute2x128(u0, u4, 0x31);
        o5 = Avx.Permute2x128(u1, u5, 0x31);
        o6 = Avx.Permute2x128(u2, u6, 0x31);
        o7 = Avx.Permute2x128(u3, u7, 0x31);
    }

    /// <summary>Floats from one panel of a packed A to the next: kc columns of mr rows, and padding against streams in the same cache sets.</summary>
    public static long PanelOf(int kc, int mr) => (long)kc * mr + 16;

    /// <summary>Floats of a packed block of rows × kc.</summary>
    public static long Floats(int rows, int kc, int mr) => PanelOf(kc, mr) * ((rows + mr - 1) / mr) + 32 & ~15L;

    /// <summary>
    /// Packs rows × kc of A (strides row and col) into panels of mr rows, column after column. With several groups the blocks g of
    /// an A whose rows are interleaved (row = groups, element stride one between blocks) are packed together,
    /// <see cref="Floats"/> apart. tmp holds (rows + 16) * groups floats.
    /// </summary>
    public static void A(float* d, int mr, float* s, long row, long col, int rows, int kc, int groups, float* tmp)
    {
        long panel = PanelOf(kc, mr), block = Floats(rows, kc, mr);
        if (row == 1) Columns(d, panel, mr, s, col, rows, kc);
        else if (Avx512F.IsSupported && groups is 2 or 4 && mr == 8 && rows % 16 == 0)
            GemmStride.SplitColumns(d, block, panel, s, col, rows, kc, groups);
        else if (groups > 1 || row is 2 or 4 or 8)
        {
            long pitch = rows + 15 & ~15;
            for (int k = 0; k < kc; k++)
            {
                float* from = s + k * col;
                if (Sse.IsSupported) for (int i = 0; i < rows * groups; i += 16) Sse.Prefetch0(from + Ahead * col + i);
                if (groups > 1) GemmStride.Split(tmp, pitch, from, rows, groups);
                else GemmStride.Gather(tmp, from, rows, row);
                for (int g = 0; g < groups; g++) Columns(d + g * block + (long)k * mr, panel, mr, tmp + g * pitch, 0, rows, 1);
            }
        }
        else
        {
            for (int r = 0; r < rows; r++)
            {
                float* q = d + r / mr * panel + r % mr;
                float* t = s + r * row;
                for (int k = 0; k < kc; k++) q[(long)k * mr] = t[k * col];
            }
        }
    }

    // k is the outer loop: a transposed A is read along its cache lines and pages, once.
    [MethodImpl(Hot)]
    private static void Columns(float* d, long panel, int mr, float* s, long col, int rows, int kc)
    {
        for (; kc > 0; kc--)
        {
            float* q = d;
            int r = 0;
            if (Sse.IsSupported) for (int i = 0; i < rows; i += 16) Sse.Prefetch0(s + Ahead * col + i);
            if (mr == 8)
            {
                for (; r + 8 <= rows; r += 8)
                {
                    Vector256.Load(s + r).Store(q);
                    q += panel;
                }
            }
            else
            {
                for (; r + mr <= rows; r += mr)
                {
                    Vector128.Load(s + r).Store(q);
                    for (int i = 4; i < mr; i++) q[i] = s[r + i];
                    q += panel;
                }
            }
            for (int i = 0; r + i < rows; i++) q[i] = s[r + i];
            d += mr;
            s += col;
        }
    }
}

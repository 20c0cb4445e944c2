using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sfn.Backends.Cpu;

/// <summary>Interleaving and its inverse, in registers for 2, 4 and 8 blocks: the shuffles of BlockShuffle and of its gradient.</summary>
internal static unsafe class GemmStride
{
    private const MethodImplOptions Hot = MethodImplOptions.AggressiveOptimization;

    /// <summary>d[i] = s[i * stride] for i below n.</summary>
    public static void Gather(float* d, float* s, int n, long stride)
    {
        int i = 0;
        if (Avx512F.IsSupported && stride is 2 or 4 or 8 && n >= 16) i = Gather512(d, s, n, (int)stride);
        for (; i < n; i++) d[i] = s[i * stride];
    }

    // The last vector loads backwards from its last element, so that nothing after the array is read; returns what is done.
    [MethodImpl(Hot)]
    private static int Gather512(float* d, float* s, int n, int stride)
    {
        var even = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        var odd = even + Vector512<int>.One;
        int i = 0;
        for (; i + 16 < n; i += 16) Pick(s + (long)i * stride, stride, even).Store(d + i);
        if (i > 0 && i + 16 == n)
        {
            Pick(s + (long)i * stride - (stride - 1), stride, odd).Store(d + i);
            i += 16;
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Pick(float* s, int stride, Vector512<int> which) => stride switch
    {
        2 => Pick2(s, which),
        4 => Avx512F.PermuteVar16x32x2(Pick2(s, which), which, Pick2(s + 32, which)),
        _ => Avx512F.PermuteVar16x32x2(
            Avx512F.PermuteVar16x32x2(Pick2(s, which), which, Pick2(s + 32, which)), which,
            Avx512F.PermuteVar16x32x2(Pick2(s + 64, which), which, Pick2(s + 96, which))),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Pick2(float* s, Vector512<int> which) => Avx512F.PermuteVar16x32x2(Vector512.Load(s), which, Vector512.Load(s + 16));

    /// <summary>c[i * blocks + b] = (or +=) s[b * pitch + i] for i below n.</summary>
    public static void Interleave(float* c, float* s, long pitch, int n, int blocks, bool accumulate)
    {
        int i = 0;
        if (Avx512F.IsSupported && blocks is 2 or 4 or 8) i = Interleave512(c, s, pitch, n, blocks, accumulate);
        else if (Sse.IsSupported && blocks is 2 or 4) i = Interleave128(c, s, pitch, n, blocks, accumulate);
        for (; i < n; i++)
        {
            for (int b = 0; b < blocks; b++)
            {
                float v = s[b * pitch + i];
                c[(long)i * blocks + b] = accumulate ? c[(long)i * blocks + b] + v : v;
            }
        }
    }

    [MethodImpl(Hot)]
    private static int Interleave512(float* c, float* s, long pitch, int n, int blocks, bool accumulate)
    {
        var lo = Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        var hi = Vector512.Create(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        int i = 0;
        for (; i + 16 <= n; i += 16)
        {
            float* q = s + i;
            if (blocks == 2)
            {
                var a = Vector512.Load(q);
                var b = Vector512.Load(q + pitch);
                Put(c, Avx512F.PermuteVar16x32x2(a, lo, b), accumulate);
                Put(c + 16, Avx512F.PermuteVar16x32x2(a, hi, b), accumulate);
            }
            else
            {
                // Blocks b and b + blocks/2 first, then those pairs; eight blocks are two sets of four merged last.
                int half = blocks / 4;
                Four(q, pitch * half, lo, hi, out var w0, out var w1, out var w2, out var w3);
                if (blocks == 4)
                {
                    Put(c, w0, accumulate);
                    Put(c + 16, w1, accumulate);
                    Put(c + 32, w2, accumulate);
                    Put(c + 48, w3, accumulate);
                }
                else
                {
                    Four(q + pitch, pitch * half, lo, hi, out var v0, out var v1, out var v2, out var v3);
                    Put(c, Avx512F.PermuteVar16x32x2(w0, lo, v0), accumulate);
                    Put(c + 16, Avx512F.PermuteVar16x32x2(w0, hi, v0), accumulate);
                    Put(c + 32, Avx512F.PermuteVar16x32x2(w1, lo, v1), accumulate);
                    Put(c + 48, Avx512F.PermuteVar16x32x2(w1, hi, v1), accumulate);
                    Put(c + 64, Avx512F.PermuteVar16x32x2(w2, lo, v2), accumulate);
                    Put(c + 80, Avx512F.PermuteVar16x32x2(w2, hi, v2), accumulate);
                    Put(c + 96, Avx512F.PermuteVar16x32x2(w3, lo, v3), accumulate);
                    Put(c + 112, Avx512F.PermuteVar16x32x2(w3, hi, v3), accumulate);
                }
            }
            c += 16 * blocks;
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(float* q, long pitch, Vector512<int> lo, Vector512<int> hi,
        out Vector512<float> w0, out Vector512<float> w1, out Vector512<float> w2, out Vector512<float> w3)
    {
        var a = Vector512.Load(q);
        var b = Vector512.Load(q + pitch);
        var d = Vector512.Load(q + 2 * pitch);
        var e = Vector512.Load(q + 3 * pitch);
        var t0 = Avx512F.PermuteVar16x32x2(a, lo, d);
        var t1 = Avx512F.PermuteVar16x32x2(a, hi, d);
        var u0 = Avx512F.PermuteVar16x32x2(b, lo, e);
        var u1 = Avx512F.PermuteVar16x32x2(b, hi, e);
        w0 = Avx512F.PermuteVar16x32x2(t0, lo, u0);
        w1 = Avx512F.PermuteVar16x32x2(t0, hi, u0);
        w2 = Avx512F.PermuteVar16x32x2(t1, lo, u1);
        w3 = Avx512F.PermuteVar16x32x2(t1, hi, u1);
    }

    [MethodImpl(Hot)]
    private static int Interleave128(float* c, float* s, long pitch, int n, int blocks, bool accumulate)
    {
        int i = 0;
        for (; i + 4 <= n; i += 4)
        {
            var a = Vector128.Load(s + i);
            var b = Vector128.Load(s + i + pitch);
            var lo = Sse.UnpackLow(a, b);
            var hi = Sse.UnpackHigh(a, b);
            if (blocks == 2)
            {
                Put(c, lo, accumulate);
                Put(c + 4, hi, accumulate);
            }
            else
            {
                var d = Vector128.Load(s + i + 2 * pitch);
                var e = Vector128.Load(s + i + 3 * pitch);
                var lo2 = Sse.UnpackLow(d, e);
                var hi2 = Sse.UnpackHigh(d, e);
                Put(c, Sse.MoveLowToHigh(lo, lo2), accumulate);
                Put(c + 4, Sse.MoveHighToLow(lo2, lo), accumulate);
                Put(c + 8, Sse.MoveLowToHigh(hi, hi2), accumulate);
                Put(c + 12, Sse.MoveHighToLow(hi2, hi), accumulate);
            }
            c += 4 * blocks;
        }
        return i;
    }

    /// <summary>d[b * pitch + i] = s[i * blocks + b] for i below n: all blocks of an interleaved row in one reading.</summary>
    public static void Split(float* d, long pitch, float* s, int n, int blocks)
    {
        int i = 0;
        if (Avx512F.IsSupported && blocks is 2 or 4 or 8) i = Split512(d, pitch, s, n, blocks);
        else if (Sse.IsSupported && blocks is 2 or 4) i = Split128(d, pitch, s, n, blocks);
        for (; i < n; i++) for (int b = 0; b < blocks; b++) d[b * pitch + i] = s[(long)i * blocks + b];
    }

    [MethodImpl(Hot)]
    private static int Split512(float* d, long pitch, float* s, int n, int blocks)
    {
        var even = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        var odd = even + Vector512<int>.One;
        int i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var v0 = Vector512.Load(s);
            var v1 = Vector512.Load(s + 16);
            if (blocks == 2)
            {
                Avx512F.PermuteVar16x32x2(v0, even, v1).Store(d);
                Avx512F.PermuteVar16x32x2(v0, odd, v1).Store(d + pitch);
            }
            else
            {
                var v2 = Vector512.Load(s + 32);
                var v3 = Vector512.Load(s + 48);
                if (blocks == 4) Split4(d, pitch, v0, v1, v2, v3, even, odd);
                else
                {
                    var v4 = Vector512.Load(s + 64);
                    var v5 = Vector512.Load(s + 80);
                    var v6 = Vector512.Load(s + 96);
                    var v7 = Vector512.Load(s + 112);
                    Split4(d, 2 * pitch,
                        Avx512F.PermuteVar16x32x2(v0, even, v1), Avx512F.PermuteVar16x32x2(v2, even, v3),
                        Avx512F.PermuteVar16x32x2(v4, even, v5), Avx512F.PermuteVar16x32x2(v6, even, v7), even, odd);
                    Split4(d + pitch, 2 * pitch,
                        Avx512F.PermuteVar16x32x2(v0, odd, v1), Avx512F.PermuteVar16x32x2(v2, odd, v3),
                        Avx512F.PermuteVar16x32x2(v4, odd, v5), Avx512F.PermuteVar16x32x2(v6, odd, v7), even, odd);
                }
            }
            s += 16 * blocks;
            d += 16;
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Split4(float* d, long pitch, Vector512<float> v0, Vector512<float> v1, Vector512<float> v2, Vector512<float> v3,
        Vector512<int> even, Vector512<int> odd)
    {
        var e0 = Avx512F.PermuteVar16x32x2(v0, even, v1);
        var e1 = Avx512F.PermuteVar16x32x2(v2, even, v3);
        var o0 = Avx512F.PermuteVar16x32x2(v0, odd, v1);
        var o1 = Avx512F.PermuteVar16x32x2(v2, odd, v3);
        Avx512F.PermuteVar16x32x2(e0, even, e1).Store(d);
        Avx512F.PermuteVar16x32x2(o0, even, o1).Store(d + pitch);
        Avx512F.PermuteVar16x32x2(e0, odd, e1).Store(d + 2 * pitch);
        Avx512F.PermuteVar16x32x2(o0, odd, o1).Store(d + 3 * pitch);
    }

    /// <summary>
    /// Columns of an interleaved matrix into panels of eight rows: d[b * group + (r / 8) * panel + k * 8 + r % 8] =
    /// s[k * col + r * blocks + b], for 2 or 4 blocks and a multiple of 16 rows.
    /// </summary>
    [MethodImpl(Hot)]
    public static void SplitColumns(float* d, long group, long panel, float* s, long col, int rows, int kc, int blocks)
    {
        var even = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        var odd = even + Vector512<int>.One;
        for (; kc > 0; kc--)
        {
            float* q = d;
            float* t = s;
            float* end = s + rows * blocks;
            for (; t < end; t += 16 * blocks)
            {
                var v0 = Vector512.Load(t);
                var v1 = Vector512.Load(t + 16);
                Sse.Prefetch0(t + 16 * col);
                Sse.Prefetch0(t + 16 * col + 16);
                if (blocks == 2)
                {
                    Halves(q, panel, Avx512F.PermuteVar16x32x2(v0, even, v1));
                    Halves(q + group, panel, Avx512F.PermuteVar16x32x2(v0, odd, v1));
                }
                else
                {
                    var v2 = Vector512.Load(t + 32);
                    var v3 = Vector512.Load(t + 48);
                    Sse.Prefetch0(t + 16 * col + 32);
                    Sse.Prefetch0(t + 16 * col + 48);
                    var e0 = Avx512F.PermuteVar16x32x2(v0, even, v1);
                    var e1 = Avx512F.PermuteVar16x32x2(v2, even, v3);
                    var o0 = Avx512F.PermuteVar16x32x2(v0, odd, v1);
                    var o1 = Avx512F.PermuteVar16x32x2(v2, odd, v3);
                    Halves(q, panel, Avx512F.PermuteVar16x32x2(e0, even, e1));
                    Halves(q + group, panel, Avx512F.PermuteVar16x32x2(o0, even, o1));
                    Halves(q + 2 * group, panel, Avx512F.PermuteVar16x32x2(e0, odd, e1));
                    Halves(q + 3 * group, panel, Avx512F.PermuteVar16x32x2(o0, odd, o1));
                }
                q += 2 * panel;
            }
            d += 8;
            s += col;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Halves(float* d, long panel, Vector512<float> v)
    {
        v.GetLower().Store(d);
        v.GetUpper().Store(d + panel);
    }

    [MethodImpl(Hot)]
    private static int Split128(float* d, long pitch, float* s, int n, int blocks)
    {
        int i = 0;
        for (; i + 4 <= n; i += 4)
        {
            var a = Vector128.Load(s);
            var b = Vector128.Load(s + 4);
            if (blocks == 2)
            {
                Sse.Shuffle(a, b, 0x88).Store(d);
                Sse.Shuffle(a, b, 0xDD).Store(d + pitch);
            }
            else
            {
                var c = Vector128.Load(s + 8);
                var e = Vector128.Load(s + 12);
                var lo = Sse.UnpackLow(a, b);
                var hi = Sse.UnpackHigh(a, b);
                var lo2 = Sse.UnpackLow(c, e);
                var hi2 = Sse.UnpackHigh(c, e);
                Sse.MoveLowToHigh(lo, lo2).Store(d);
                Sse.MoveHighToLow(lo2, lo).Store(d + pitch);
                Sse.MoveLowToHigh(hi, hi2).Store(d + 2 * pitch);
                Sse.MoveHighToLow(hi2, hi).Store(d + 3 * pitch);
            }
            s += 4 * blocks;
            d += 4;
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector512<float> v, bool accumulate)
    {
        if (accumulate) v += Vector512.Load(c);
        v.Store(c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector128<float> v, bool accumulate)
    {
        if (accumulate) v += Vector128.Load(c);
        v.Store(c);
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>One query per head against a key/value cache: dot products and weighted sums straight over the cache, read once per group.</summary>
internal static unsafe class AttentionDecode
{
    /// <summary>The heads [head, head + heads), which share one key/value head. Vectors run along the head dim; what is left over is scalar.</summary>
    public static void Run<S, V>(in AttentionProblem p, int batch, int head, int heads) where S : struct, ISimd<V> where V : struct
    {
        const int Block = AttentionBlocks.Keys;
        int d = p.HeadDim, kvHead = head / (p.Heads / p.KvHeads);
        float* q = CpuScratch.Rent(ScratchUse.Attention, 2L * heads * d + 2 * heads + Block);
        float* o = q + (nint)heads * d, top = o + (nint)heads * d, sum = top + heads, scores = sum + heads;
        for (int h = 0; h < heads; h++)
        {
            float* from = p.Q + batch * p.QBatch + (head + h) * p.QHead;
            for (int c = 0; c < d; c++) q[h * d + c] = from[c] * p.Scale;
            top[h] = float.NegativeInfinity;
            sum[h] = 0;
        }
        Unsafe.InitBlockUnaligned(o, 0, (uint)(heads * d * sizeof(float)));

        p.KeyRange(batch, 1, out int keyFirst, out int keyLast, out _);
        float* k = p.K + batch * p.KBatch + kvHead * p.KHead;
        float* v = p.V + batch * p.VBatch + kvHead * p.VHead;
        for (int key = keyFirst; key < keyLast; key += Block)
        {
            int rows = Math.Min(Block, keyLast - key);
            byte* mask = p.KeyMask == null ? null : p.KeyMask + batch * p.KeyMaskBatch + key;
            for (int h = 0; h < heads; h++)
            {
                Dots<S, V>(q + (nint)h * d, k + key * p.KToken, p.KToken, rows, d, scores);
                float rescale = Softmax(scores, rows, mask, top + h, sum + h);
                Accumulate<S, V>(scores, v + key * p.VToken, p.VToken, rows, d, o + (nint)h * d, rescale);
            }
        }
        for (int h = 0; h < heads; h++)
        {
            float* to = p.O + batch * p.OBatch + (head + h) * p.OHead;
            float inverse = sum[h] == 0 ? 0 : 1 / sum[h];
            for (int c = 0; c < d; c++) to[c] = o[h * d + c] * inverse;
            if (p.Lse != null) p.Lse[(long)batch * p.Heads + head + h] = top[h] + MathF.Log(sum[h]);
        }
    }

    /// <summary>scores[r] = q · k[r].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dots<S, V>(float* q, float* k, long row, int rows, int d, float* scores) where S : struct, ISimd<V> where V : struct
    {
        int r = 0;
        for (; r + 4 <= rows; r += 4, k += 4 * row)
        {
            V a = S.Zero, b = S.Zero, e = S.Zero, f = S.Zero;
            int c = 0;
            for (; c + S.Width <= d; c += S.Width)
            {
                V x = S.Load(q + c);
                a = S.Fma(x, S.Load(k + c), a);
                b = S.Fma(x, S.Load(k + row + c), b);
                e = S.Fma(x, S.Load(k + 2 * row + c), e);
                f = S.Fma(x, S.Load(k + 3 * row + c), f);
            }
            S.Sums(a, b, e, f).Store(scores + r);
            for (; c < d; c++)
                for (int i = 0; i < 4; i++) scores[r + i] += q[c] * k[i * row + c];
        }
        for (; r < rows; r++, k += row)
        {
            V a = S.Zero;
            int c = 0;
            for (; c + S.Width <= d; c += S.Width) a = S.Fma(S.Load(q + c), S.Load(k + c), a);
            float total = S.Sums(a, S.Zero, S.Zero, S.Zero)[0];
            for (; c < d; c++) total += q[c] * k[c];
            scores[r] = total;
        }
    }

    /// <summary>Scores to weights relative to the new maximum; returns the factor for what was summed before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Softmax(float* scores, int rows, byte* mask, float* top, float* sum)
    {
        if (mask != null)
            for (int r = 0; r < rows; r++)
                if (mask[r] == 0) scores[r] = float.NegativeInfinity;
        // The block holds a multiple of 4 scores, so the surplus lanes exist: they are made exp(-inf) = 0.
        for (int r = rows; (r & 3) != 0; r++) scores[r] = float.NegativeInfinity;
        var highest = Vector128.Create(*top);
        for (int r = 0; r < rows; r += 4) highest = Simd128.Max(highest, Vector128.Load(scores + r));
        float max = MathF.Max(MathF.Max(highest[0], highest[1]), MathF.Max(highest[2], highest[3]));
        float shift = float.IsNegativeInfinity(max) ? 0 : max;
        var shifts = Vector128.Create(shift);
        var totals = Vector128<float>.Zero;
        for (int r = 0; r < rows; r += 4)
        {
            var x = Vec.Exp(Vector128.Load(scores + r) - shifts);
            x.Store(scores + r);
            totals += x;
        }
        float rescale = Vec.Exp(Vector128.Create(*top - shift))[0];
        *sum = *sum * rescale + Vector128.Sum(totals);
        *top = max;
        return rescale;
    }

    /// <summary>o = o·rescale + Σ weights[r] · v[r].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate<S, V>(float* weights, float* v, long row, int rows, int d, float* o, float rescale)
        where S : struct, ISimd<V> where V : struct
    {
        int c = 0;
        V scale = S.Splat(rescale);
        for (; c + 4 * S.Width <= d; c += 4 * S.Width)
        {
            V x0 = S.Zero, x1 = S.Zero, x2 = S.Zero, x3 = S.Zero;
            float* at = v + c;
            for (int r = 0; r < rows; r++, at += row)
            {
                V w = S.Splat(weights[r]);
                x0 = S.Fma(w, S.Load(at), x0);
                x1 = S.Fma(w, S.Load(at + S.Width), x1);
                x2 = S.Fma(w, S.Load(at + 2 * S.Width), x2);
                x3 = S.Fma(w, S.Load(at + 3 * S.Width), x3);
            }
            float* to = o + c;
            S.Store(to, S.Fma(S.Load(to), scale, x0));
            S.Store(to + S.Width, S.Fma(S.Load(to + S.Width), scale, x1));
            S.Store(to + 2 * S.Width, S.Fma(S.Load(to + 2 * S.Width), scale, x2));
            S.Store(to + 3 * S.Width, S.Fma(S.Load(to + 3 * S.Width), scale, x3));
        }
        for (; c + S.Width <= d; c += S.Width)
        {
            V x = S.Zero;
            for (int r = 0; r < rows; r++) x = S.Fma(S.Splat(weights[r]), S.Load(v + r * row + c), x);
            S.Store(o + c, S.Fma(S.Load(o + c), scale, x));
        }
        for (; c < d; c++)
        {
            float x = 0;
            for (int r = 0; r < rows; r++) x += weights[r] * v[r * row + c];
            o[c] = o[c] * rescale + x;
        }
    }
}

using System.Runtime.CompilerServices;

namespace Sfn.Backends.Cpu;

/// <summary>One block of queries against all their keys, with the running softmax of flash attention (Dao et al. 2022).</summary>
internal static unsafe class AttentionForward
{
    /// <summary>Writes O and Lse of the queries [query, query + 64) of one head.</summary>
    public static void Run<S, V>(in AttentionProblem p, int batch, int head, int query) where S : struct, ISimd<V> where V : struct
    {
        const int Block = AttentionBlocks.Queries;
        int d = p.HeadDim, panel = 2 * S.Width, queries = Math.Min(Block, p.Tq - query), kvHead = head / (p.Heads / p.KvHeads);
        float* q = CpuScratch.Rent(ScratchUse.Attention, 2L * Block * d + (long)AttentionBlocks.Keys * panel + 4 * Block);
        float* o = q + (nint)Block * d, scores = o + (nint)Block * d;
        float* top = scores + AttentionBlocks.Keys * panel, sum = top + Block, alpha = sum + Block, ones = alpha + Block;

        float* from = p.Q + batch * p.QBatch + query * p.QToken + head * p.QHead;
        AttentionBlocks.Prefetch(from, p.QToken, queries, d);
        AttentionBlocks.ToPanels<S, V>(from, p.QToken, queries, d, q, p.Scale);
        Unsafe.InitBlock(o, 0, (uint)(Block * d * sizeof(float)));
        for (int i = 0; i < Block; i++)
        {
            top[i] = float.NegativeInfinity;
            sum[i] = 0;
            ones[i] = 1;
        }

        float* k = p.K + batch * p.KBatch + kvHead * p.KHead;
        float* v = p.V + batch * p.VBatch + kvHead * p.VHead;
        float* output = p.O + batch * p.OBatch + query * p.OToken + head * p.OHead;
        AttentionBlocks.Prefetch(output, p.OToken, queries, d);
        p.KeyRange(batch, query + queries, out int keyFirst, out int keyLast, out int seen);
        for (int key = keyFirst; key < seen; key += AttentionBlocks.Keys)
        {
            int keyEnd = Math.Min(key + AttentionBlocks.Keys, keyLast);
            float* kBlock = k + key * p.KToken, vBlock = v + key * p.VToken;
            int next = Math.Min(AttentionBlocks.Keys, seen - keyEnd);
            AttentionBlocks.Prefetch(kBlock + AttentionBlocks.Keys * p.KToken, p.KToken, next, d);
            AttentionBlocks.Prefetch(vBlock + AttentionBlocks.Keys * p.VToken, p.VToken, next, d);
            for (int i = 0; i < queries; i += panel)
            {
                int live = Math.Min(panel, queries - i), vectors = live > S.Width ? 2 : 1;
                int rows = AttentionBlocks.Visible(p, query + i + live, key, keyEnd);
                if (rows == 0) continue;
                // Across the diagonal the first vector of queries sees fewer keys; the rest is done for the second vector alone.
                int both = vectors == 2 ? AttentionBlocks.Visible(p, query + i + S.Width, key, keyEnd) : rows;
                float* qPanel = q + (nint)i * d, oPanel = o + (nint)i * d, lowScores = scores + both * panel + S.Width;
                AttentionMultiply.Run<S, V>(both, vectors, d, kBlock, p.KToken, 1, qPanel, panel, scores, panel, null);
                AttentionMultiply.Run<S, V>(rows - both, 1, d, kBlock + both * p.KToken, p.KToken, 1, qPanel + S.Width, panel, lowScores, panel, null);
                AttentionBlocks.Mask<S, V>(p, batch, scores, panel, vectors, key, rows, query + i);
                if (both > 0) Softmax<S, V>(scores, panel, both, top + i, sum + i, alpha);
                if (vectors == 2) Softmax<S, V>(scores + S.Width, panel, rows, top + i + S.Width, sum + i + S.Width, alpha + S.Width);
                if (both > 0) AttentionMultiply.Run<S, V>(d, vectors, both, vBlock, 1, p.VToken, scores, panel, oPanel, panel, alpha);
                if (rows > both)
                {
                    AttentionMultiply.Run<S, V>(
                        d, 1, rows - both, vBlock + both * p.VToken, 1, p.VToken, lowScores, panel, oPanel + S.Width, panel, both > 0 ? ones : alpha + S.Width);
                }
            }
        }

        float* lse = p.Lse == null ? null : p.Lse + ((long)batch * p.Heads + head) * p.Tq + query;
        Finish<S, V>(top, sum, alpha);
        for (int i = 0; i < queries; i += panel)
        {
            // alpha holds 1 / sum, top the log-sum-exp.
            Transpose.ToRows(o + (nint)i * d, panel, output + i * p.OToken, p.OToken, Math.Min(panel, queries - i), d, alpha + i);
        }
        if (lse != null) new ReadOnlySpan<float>(top, queries).CopyTo(new Span<float>(lse, queries));
    }

    /// <summary>Turns one vector of score columns into weights relative to the new maximum; alpha rescales what was summed before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softmax<S, V>(float* scores, int ld, int rows, float* top, float* sum, float* alpha) where S : struct, ISimd<V> where V : struct
    {
        V old = S.Load(top);
        V m0 = old, m1 = old, m2 = old, m3 = old;
        float* s = scores;
        int row = 0;
        for (; row + 4 <= rows; row += 4, s += 4 * (nint)ld)
        {
            m0 = S.Max(m0, S.Load(s));
            m1 = S.Max(m1, S.Load(s + ld));
            m2 = S.Max(m2, S.Load(s + 2 * (nint)ld));
            m3 = S.Max(m3, S.Load(s + 3 * (nint)ld));
        }
        for (; row < rows; row++, s += ld) m0 = S.Max(m0, S.Load(s));
        m0 = S.Max(S.Max(m0, m1), S.Max(m2, m3));
        S.Store(top, m0);

        // A query that has seen no key yet keeps -inf; subtracting 0 instead gives exp(-inf) = 0 where -inf - -inf would give NaN.
        V shift = S.IfEqual(m0, S.Splat(float.NegativeInfinity), S.Zero, m0);
        V rescale = S.Exp(S.Sub(old, shift));
        V total0 = S.Zero, total1 = S.Zero;
        s = scores;
        for (row = 0; row + 2 <= rows; row += 2, s += 2 * (nint)ld)
        {
            V x0 = S.Exp(S.Sub(S.Load(s), shift));
            V x1 = S.Exp(S.Sub(S.Load(s + ld), shift));
            S.Store(s, x0);
            S.Store(s + ld, x1);
            total0 = S.Add(total0, x0);
            total1 = S.Add(total1, x1);
        }
        if (row < rows)
        {
            V x = S.Exp(S.Sub(S.Load(s), shift));
            S.Store(s, x);
            total0 = S.Add(total0, x);
        }
        S.Store(sum, S.Fma(S.Load(sum), rescale, S.Add(total0, total1)));
        S.Store(alpha, rescale);
    }

    /// <summary>top becomes top + log(sum), inverse = 1 / sum, or 0 for a query without keys.</summary>
    private static void Finish<S, V>(float* top, float* sum, float* inverse) where S : struct, ISimd<V> where V : struct
    {
        for (int i = 0; i < AttentionBlocks.Queries; i += S.Width)
        {
            V s = S.Load(sum + i);
            S.Store(top + i, S.Add(S.Load(top + i), S.Log(s)));
            S.Store(inverse + i, S.IfEqual(s, S.Zero, S.Zero, S.Div(S.Splat(1f), s)));
        }
    }
}

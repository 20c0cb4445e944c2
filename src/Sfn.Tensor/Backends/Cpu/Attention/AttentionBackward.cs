using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Gradients of one key/value head, the weights recomputed from the log-sum-exp: with P = exp(S − lse) and D = rowsum(dO ∘ O),
/// dV = Pᵀ dO, dS = P ∘ (dO Vᵀ − D), dQ = scale · dS K, dK = scale · dSᵀ Q.
/// </summary>
/// <remarks>All query heads of the group run in order on one thread, so dK and dV are summed in one fixed order.</remarks>
internal static unsafe class AttentionBackward
{
    /// <summary>The working memory of one key/value head, cut out of one scratch buffer.</summary>
    private struct Work
    {
        public float* Q, DO, DQ;              // panels [headDim, panel]
        public float* QRows, DORows;          // [64, Padded]
        public float* P, DS;                  // [key, query] of one block
        public float* Lse, Delta, Ones, Scales;
        public float* DK, DV;                 // [Tk, Padded]
        public int Padded;
    }

    public static void Run<S, V>(in AttentionProblem p, int batch, int kvHead) where S : struct, ISimd<V> where V : struct
    {
        const int Block = AttentionBlocks.Queries;
        int d = p.HeadDim, group = p.Heads / p.KvHeads;
        Work w = default;
        w.Padded = (d + S.Width - 1) / S.Width * S.Width;
        long block = (long)Block * w.Padded, all = (long)p.Tk * w.Padded;
        float* scratch = CpuScratch.Rent(ScratchUse.Attention, 5 * block + 2 * all + 2 * Block * AttentionBlocks.Keys + 3 * Block + Math.Max(Block, w.Padded));
        w.P = scratch;
        w.DS = w.P + Block * AttentionBlocks.Keys;
        w.Q = w.DS + Block * AttentionBlocks.Keys;
        w.DO = w.Q + block;
        w.DQ = w.DO + block;
        w.QRows = w.DQ + block;
        w.DORows = w.QRows + block;
        w.DK = w.DORows + block;
        w.DV = w.DK + all;
        w.Lse = w.DV + all;
        w.Delta = w.Lse + Block;
        w.Ones = w.Delta + Block;
        w.Scales = w.Ones + Math.Max(Block, w.Padded);
        new Span<float>(w.Ones, Math.Max(Block, w.Padded)).Fill(1f);
        new Span<float>(w.Scales, Block).Fill(p.Scale);
        NativeMemory.Clear(w.DK, (nuint)all * 2 * sizeof(float));

        for (int head = kvHead * group; head < (kvHead + 1) * group; head++)
            for (int query = 0; query < p.Tq; query += Block)
                Queries<S, V>(p, w, batch, head, kvHead, query);

        float* dk = p.DK + batch * p.DKBatch + kvHead * p.DKHead;
        float* dv = p.DV + batch * p.DVBatch + kvHead * p.DVHead;
        AttentionBlocks.Copy<S, V>(w.DK, w.Padded, dk, p.DKToken, p.Tk, d, p.Scale, d);
        AttentionBlocks.Copy<S, V>(w.DV, w.Padded, dv, p.DVToken, p.Tk, d, 1f, d);
    }

    /// <summary>One block of queries: adds its part to dK and dV, finishes its dQ.</summary>
    private static void Queries<S, V>(in AttentionProblem p, in Work w, int batch, int head, int kvHead, int query) where S : struct, ISimd<V> where V : struct
    {
        const int Block = AttentionBlocks.Queries;
        int d = p.HeadDim, panel = 2 * S.Width, queries = Math.Min(Block, p.Tq - query), padded = w.Padded;
        float* qFrom = p.Q + batch * p.QBatch + query * p.QToken + head * p.QHead;
        float* gradientFrom = p.DO + batch * p.DOBatch + query * p.DOToken + head * p.DOHead;
        float* output = p.O + batch * p.OBatch + query * p.OToken + head * p.OHead;
        AttentionBlocks.Prefetch(qFrom, p.QToken, queries, d);
        AttentionBlocks.Prefetch(gradientFrom, p.DOToken, queries, d);
        AttentionBlocks.Prefetch(output, p.OToken, queries, d);
        AttentionBlocks.ToPanels<S, V>(qFrom, p.QToken, queries, d, w.Q, p.Scale);
        AttentionBlocks.ToPanels<S, V>(gradientFrom, p.DOToken, queries, d, w.DO, 1f);
        AttentionBlocks.Copy<S, V>(qFrom, p.QToken, w.QRows, padded, queries, d, 1f, padded);
        AttentionBlocks.Copy<S, V>(gradientFrom, p.DOToken, w.DORows, padded, queries, d, 1f, padded);
        Unsafe.InitBlock(w.DQ, 0, (uint)(Block * d * sizeof(float)));
        RowTerms(p, w, output, batch, head, query, queries);

        float* k = p.K + batch * p.KBatch + kvHead * p.KHead;
        float* v = p.V + batch * p.VBatch + kvHead * p.VHead;
        p.KeyRange(batch, query + queries, out int keyFirst, out int keyLast, out int seen);
        for (int key = keyFirst; key < seen; key += AttentionBlocks.Keys)
        {
            int keyEnd = Math.Min(key + AttentionBlocks.Keys, keyLast);
            float* kBlock = k + key * p.KToken, vBlock = v + key * p.VToken;
            for (int i = 0; i < queries; i += panel)
            {
                int live = Math.Min(panel, queries - i), vectors = live > S.Width ? 2 : 1;
                int rows = AttentionBlocks.Visible(p, query + i + live, key, keyEnd);
                if (rows == 0) continue;
                // Across the diagonal the first vector of queries sees fewer keys; the rest is done for the second vector alone.
                int both = vectors == 2 ? AttentionBlocks.Visible(p, query + i + S.Width, key, keyEnd) : rows, low = both * Block + S.Width;
                float* weights = w.P + i, ds = w.DS + i, q = w.Q + (nint)i * d, gradient = w.DO + (nint)i * d, dq = w.DQ + (nint)i * d;
                float* kLow = kBlock + both * p.KToken, vLow = vBlock + both * p.VToken;
                AttentionMultiply.Run<S, V>(both, vectors, d, kBlock, p.KToken, 1, q, panel, weights, Block, null);
                AttentionMultiply.Run<S, V>(rows - both, 1, d, kLow, p.KToken, 1, q + S.Width, panel, weights + low, Block, null);
                AttentionBlocks.Mask<S, V>(p, batch, weights, Block, vectors, key, rows, query + i);
                AttentionMultiply.Run<S, V>(both, vectors, d, vBlock, p.VToken, 1, gradient, panel, ds, Block, null);
                AttentionMultiply.Run<S, V>(rows - both, 1, d, vLow, p.VToken, 1, gradient + S.Width, panel, ds + low, Block, null);
                Scores<S, V>(weights, ds, both, w.Lse + i, w.Delta + i);
                if (vectors == 2) Scores<S, V>(weights + S.Width, ds + S.Width, rows, w.Lse + i + S.Width, w.Delta + i + S.Width);
                if (both > 0) AttentionMultiply.Run<S, V>(d, vectors, both, kBlock, 1, p.KToken, ds, Block, dq, panel, w.Ones);
                if (rows > both) AttentionMultiply.Run<S, V>(d, 1, rows - both, kLow, 1, p.KToken, ds + low, Block, dq + S.Width, panel, w.Ones);
            }
            // Later queries see more keys: rows that a vector of queries does not reach take part only from their first vector on.
            int done = 0;
            for (int i = 0; i < queries; i += S.Width)
            {
                int rows = AttentionBlocks.Visible(p, query + Math.Min(i + S.Width, queries), key, keyEnd) - done;
                if (rows <= 0) continue;
                float* weights = w.P + (nint)done * Block + i, ds = w.DS + (nint)done * Block + i;
                float* gradient = w.DORows + (nint)i * padded, q = w.QRows + (nint)i * padded;
                nint at = (nint)(key + done) * padded;
                AttentionMultiply.Run<S, V>(rows, padded / S.Width, queries - i, weights, Block, 1, gradient, padded, w.DV + at, padded, w.Ones);
                AttentionMultiply.Run<S, V>(rows, padded / S.Width, queries - i, ds, Block, 1, q, padded, w.DK + at, padded, w.Ones);
                done += rows;
            }
        }
        float* dqTo = p.DQ + batch * p.DQBatch + query * p.DQToken + head * p.DQHead;
        for (int i = 0; i < queries; i += panel)
            Transpose.ToRows(w.DQ + (nint)i * d, panel, dqTo + i * p.DQToken, p.DQToken, Math.Min(panel, queries - i), d, w.Scales);
    }

    /// <summary>P = exp(S − lse) and dS = P ∘ (dP − D) for one vector of score columns, in place of S and dP.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores<S, V>(float* s, float* dp, int rows, float* lse, float* delta) where S : struct, ISimd<V> where V : struct
    {
        V shift = S.Load(lse), d = S.Load(delta);
        for (; rows > 0; rows--, s += AttentionBlocks.Queries, dp += AttentionBlocks.Queries)
        {
            V weight = S.Exp(S.Sub(S.Load(s), shift));
            S.Store(s, weight);
            S.Store(dp, S.Mul(weight, S.Sub(S.Load(dp), d)));
        }
    }

    /// <summary>Log-sum-exp and D of each query. A query without keys gets +∞, which makes all its weights exp(−∞) = 0.</summary>
    private static void RowTerms(in AttentionProblem p, in Work w, float* output, int batch, int head, int query, int queries)
    {
        float* lse = p.Lse + ((long)batch * p.Heads + head) * p.Tq + query;
        for (int i = 0; i < AttentionBlocks.Queries; i++)
        {
            bool live = i < queries;
            float l = live ? lse[i] : float.NegativeInfinity;
            w.Lse[i] = float.IsNegativeInfinity(l) ? float.PositiveInfinity : l;
            var o = new ReadOnlySpan<float>(output + i * p.OToken, live ? p.HeadDim : 0);
            w.Delta[i] = TensorPrimitives.Dot(o, new ReadOnlySpan<float>(w.DORows + (nint)i * w.Padded, o.Length));
        }
    }
}

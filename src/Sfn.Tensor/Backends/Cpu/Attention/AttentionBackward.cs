using System.Runtime.CompilerServices;

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
        public float* Keys;                   // [64, headDim]
        public float* Lse, Delta, Ones;
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
        float* scratch = CpuScratch.Rent(ScratchUse.Attention, 6 * block + 2 * all + 2 * Block * AttentionBlocks.Keys + 2 * Block + Math.Max(Block, w.Padded));
        w.P = scratch;
        w.DS = w.P + Block * AttentionBlocks.Keys;
        w.Q = w.DS + Block * AttentionBlocks.Keys;
        w.DO = w.Q + block;
        w.DQ = w.DO + block;
        w.QRows = w.DQ + block;
        w.DORows = w.QRows + block;
        w.Keys = w.DORows + block;
        w.DK = w.Keys + block;
        w.DV = w.DK + all;
        w.Lse = w.DV + all;
        w.Delta = w.Lse + Block;
        w.Ones = w.Delta + Block;
        new Span<float>(w.Ones, Math.Max(Block, w.Padded)).Fill(1f);
        NativeFill(w.DK, 2 * all);

        for (int head = kvHead * group; head < (kvHead + 1) * group; head++)
            for (int query = 0; query < p.Tq; query += Block)
                Queries<S, V>(p, w, batch, head, kvHead, query);

        float* dk = p.DK + batch * p.DKBatch + kvHead * p.DKHead;
        float* dv = p.DV + batch * p.DVBatch + kvHead * p.DVHead;
        for (int key = 0; key < p.Tk; key++)
        {
            float* fromK = w.DK + (long)key * w.Padded, toK = dk + key * p.DKToken;
            for (int c = 0; c < d; c++) toK[c] = fromK[c] * p.Scale;
            new ReadOnlySpan<float>(w.DV + (long)key * w.Padded, d).CopyTo(new Span<float>(dv + key * p.DVToken, d));
        }
    }

    private static void NativeFill(float* p, long floats) => System.Runtime.InteropServices.NativeMemory.Clear(p, (nuint)floats * sizeof(float));

    /// <summary>One block of queries: adds its part to dK and dV, finishes its dQ.</summary>
    private static void Queries<S, V>(in AttentionProblem p, in Work w, int batch, int head, int kvHead, int query) where S : struct, ISimd<V> where V : struct
    {
        const int Block = AttentionBlocks.Queries;
        int d = p.HeadDim, panel = 2 * S.Width, queries = Math.Min(Block, p.Tq - query), padded = w.Padded;
        float* q = p.Q + batch * p.QBatch + query * p.QToken + head * p.QHead;
        float* gradient = p.DO + batch * p.DOBatch + query * p.DOToken + head * p.DOHead;
        AttentionBlocks.ToPanels<S, V>(q, p.QToken, queries, d, w.Q, p.Scale);
        AttentionBlocks.ToPanels<S, V>(gradient, p.DOToken, queries, d, w.DO, 1f);
        AttentionBlocks.Pack(q, p.QToken, queries, d, w.QRows, padded);
        AttentionBlocks.Pack(gradient, p.DOToken, queries, d, w.DORows, padded);
        Unsafe.InitBlock(w.DQ, 0, (uint)(Block * d * sizeof(float)));
        RowTerms(p, w, batch, head, query, queries);

        float* k = p.K + batch * p.KBatch + kvHead * p.KHead;
        float* v = p.V + batch * p.VBatch + kvHead * p.VHead;
        p.KeyRange(batch, out int keyFirst, out int keyLast);
        for (int key = keyFirst; key < keyLast; key += AttentionBlocks.Keys)
        {
            int keyEnd = Math.Min(key + AttentionBlocks.Keys, keyLast);
            int most = AttentionBlocks.Visible(p, query + queries, key, keyEnd);
            if (most == 0) break;
            AttentionBlocks.Pack(k + key * p.KToken, p.KToken, most, d, w.Keys, d);
            int done = 0;
            for (int i = 0; i < queries; i += panel)
            {
                int live = Math.Min(panel, queries - i), vectors = live > S.Width ? 2 : 1;
                int rows = AttentionBlocks.Visible(p, query + i + live, key, keyEnd);
                if (rows == 0) continue;
                float* weights = w.P + i, ds = w.DS + i;
                AttentionMultiply.Run<S, V>(rows, vectors, d, w.Keys, d, 1, w.Q + (nint)i * d, panel, weights, Block, null);
                AttentionBlocks.Mask<S, V>(p, batch, weights, Block, vectors, key, rows, query + i);
                AttentionMultiply.Run<S, V>(rows, vectors, d, v + key * p.VToken, p.VToken, 1, w.DO + (nint)i * d, panel, ds, Block, null);
                for (int n = 0; n < vectors; n++)
                    Scores<S, V>(weights + n * S.Width, ds + n * S.Width, rows, w.Lse + i + n * S.Width, w.Delta + i + n * S.Width);
                AttentionMultiply.Run<S, V>(d, vectors, rows, w.Keys, 1, d, ds, Block, w.DQ + (nint)i * d, panel, w.Ones);
            }
            // Later panels see more keys: the rows an earlier panel does not reach take part only from their first panel on.
            for (int i = 0; i < queries; i += panel)
            {
                int live = Math.Min(panel, queries - i), rows = AttentionBlocks.Visible(p, query + i + live, key, keyEnd);
                if (rows <= done) continue;
                nint at = (nint)(key + done) * padded;
                float* weights = w.P + (nint)done * Block + i, ds = w.DS + (nint)done * Block + i;
                AttentionMultiply.Run<S, V>(rows - done, padded / S.Width, queries - i, weights, Block, 1, w.DORows + (nint)i * padded, padded, w.DV + at, padded, w.Ones);
                AttentionMultiply.Run<S, V>(rows - done, padded / S.Width, queries - i, ds, Block, 1, w.QRows + (nint)i * padded, padded, w.DK + at, padded, w.Ones);
                done = rows;
            }
        }
        float* dq = p.DQ + batch * p.DQBatch + query * p.DQToken + head * p.DQHead;
        for (int i = 0; i < queries; i += panel)
            Transpose.Run(w.DQ + (nint)i * d, panel, d, Math.Min(panel, queries - i), dq + i * p.DQToken, p.DQToken, p.Scale, null);
    }

    /// <summary>P = exp(S − lse) and dS = P ∘ (dP − D) for one vector of score columns, in place of S and dP.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores<S, V>(float* s, float* dp, int rows, float* lse, float* delta) where S : struct, ISimd<V> where V : struct
    {
        V shift = S.Load(lse), d = S.Load(delta);
        for (; rows > 0; rows--, s += AttentionBlocks.Queries, dp += AttentionBlocks.Queries)
        {
            V weight = AttentionExp.Exp<S, V>(S.Sub(S.Load(s), shift));
            S.Store(s, weight);
            S.Store(dp, S.Mul(weight, S.Sub(S.Load(dp), d)));
        }
    }

    /// <summary>Log-sum-exp and D of each query. A query without keys gets +∞, which makes all its weights exp(−∞) = 0.</summary>
    private static void RowTerms(in AttentionProblem p, in Work w, int batch, int head, int query, int queries)
    {
        float* output = p.O + batch * p.OBatch + query * p.OToken + head * p.OHead;
        float* lse = p.Lse + ((long)batch * p.Heads + head) * p.Tq + query;
        for (int i = 0; i < AttentionBlocks.Queries; i++)
        {
            bool live = i < queries;
            float l = live ? lse[i] : float.NegativeInfinity;
            w.Lse[i] = float.IsNegativeInfinity(l) ? float.PositiveInfinity : l;
            w.Delta[i] = live
                ? System.Numerics.Tensors.TensorPrimitives.Dot(new ReadOnlySpan<float>(output + i * p.OToken, p.HeadDim), new ReadOnlySpan<float>(w.DORows + (nint)i * w.Padded, p.HeadDim))
                : 0f;
        }
    }
}

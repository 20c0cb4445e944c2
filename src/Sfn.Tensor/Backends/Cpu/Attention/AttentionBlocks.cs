using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Sfn.Backends.Cpu;

/// <summary>
/// What forward and backward share. Scores are held transposed, S[key, query]: queries are the vector lanes, so row maxima and sums
/// are plain vertical operations, K and V are read in place as the broadcast operand, and head dims of any size fill the vectors.
/// </summary>
internal static unsafe class AttentionBlocks
{
    /// <summary>Queries of one block; a panel is the two vectors of queries that a register tile covers.</summary>
    public const int Queries = 64;

    /// <summary>Keys of one block.</summary>
    public const int Keys = 64;

    /// <summary>Of the keys [key, keyEnd), the number visible to the queries before <paramref name="queryEnd"/>.</summary>
    public static int Visible(in AttentionProblem p, int queryEnd, int key, int keyEnd)
    {
        int rows = keyEnd - key;
        if (!p.Causal) return rows;
        int visible = queryEnd + p.Tk - p.Tq - key;
        // Whole register tiles are cheaper than single rows; the surplus rows are masked.
        return visible <= 0 ? 0 : Math.Min(rows, (visible + 7) & ~7);
    }

    /// <summary>Sets the scores of keys that a query does not see to −∞.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mask<S, V>(in AttentionProblem p, int batch, float* scores, int ld, int vectors, int key, int rows, int query)
        where S : struct, ISimd<V> where V : struct
    {
        V minusInfinity = S.Splat(float.NegativeInfinity);
        if (p.Causal)
        {
            // Lane i of the panel is query + i, which sees key j when i >= j - (Tk - Tq) - query.
            int first = query + p.Tk - p.Tq + 1;
            for (int row = Math.Max(0, first - key); row < rows; row++)
            {
                int lane = key + row - (p.Tk - p.Tq) - query;
                for (int v = 0; v < vectors; v++)
                {
                    float* s = scores + (nint)row * ld + v * S.Width;
                    S.Store(s, S.IfLess(S.Lanes, S.Splat(lane - v * S.Width), minusInfinity, S.Load(s)));
                }
            }
        }
        if (p.KeyMask == null) return;
        byte* mask = p.KeyMask + batch * p.KeyMaskBatch + key;
        for (int row = 0; row < rows; row++)
        {
            if (mask[row] != 0) continue;
            for (int v = 0; v < vectors; v++) S.Store(scores + (nint)row * ld + v * S.Width, minusInfinity);
        }
    }

    /// <summary>Puts the rows of a query block into panels [headDim, 2·Width], one after the other, times factor; missing queries are 0.</summary>
    public static void ToPanels<S, V>(float* from, long token, int queries, int headDim, float* panels, float factor)
        where S : struct, ISimd<V> where V : struct
    {
        int width = 2 * S.Width;
        for (int q = 0; q < queries; q += width, panels += width * headDim)
        {
            int live = Math.Min(width, queries - q);
            if (live < width) Unsafe.InitBlock(panels, 0, (uint)(width * headDim * sizeof(float)));
            Transpose.ToPanel(from + q * token, token, live, headDim, panels, width, factor);
        }
    }

    /// <summary>Asks for rows ahead of their use: a block's rows lie far apart, where the hardware's own prefetcher does not follow.</summary>
    public static void Prefetch(float* from, long fromRow, int rows, int columns)
    {
        if (!Sse.IsSupported) return;
        for (; rows > 0; rows--, from += fromRow)
            for (int c = 0; c < columns; c += 16) Sse.Prefetch1(from + c);
    }

    /// <summary>Copies rows, times factor, and fills each with zeros up to <paramref name="width"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy<S, V>(float* from, long fromRow, float* to, long toRow, int rows, int columns, float factor, int width)
        where S : struct, ISimd<V> where V : struct
    {
        V scale = S.Splat(factor);
        for (int r = 0; r < rows; r++, from += fromRow, to += toRow)
        {
            int c = 0;
            for (; c + S.Width <= columns; c += S.Width) S.Store(to + c, S.Mul(S.Load(from + c), scale));
            for (; c < columns; c++) to[c] = from[c] * factor;
            for (; c < width; c++) to[c] = 0;
        }
    }
}

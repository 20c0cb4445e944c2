namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Distances in elements between batch elements, tokens and heads of one operand; head dimensions lie densely.</summary>
internal struct AttentionStrides
{
    public long Batch, Token, Head;

    public readonly long At(int batch, int token, int head) => batch * Batch + token * Token + head * Head;
}

/// <summary>One attention problem as the kernels see it. The queries of all heads that share a key/value head form one list of rows.</summary>
internal struct AttentionArgs
{
    public int Batch, Tq, Tk, Heads, KvHeads, Dim;

    /// <summary>1 if query i sees keys up to i + Tk − Tq only.</summary>
    public int Causal;

    /// <summary>1 if there is a mask of keys.</summary>
    public int Masked;

    /// <summary>Elements between the masks of two batch elements, and between two keys.</summary>
    public long MaskBatch, MaskKey;

    /// <summary>Parts into which the keys are cut, each a block of its own, and keys per part (a multiple of a tile of keys).</summary>
    public int Splits, SplitKeys;

    /// <summary>First column of the output that this launch computes.</summary>
    public int Column;

    public float Scale;

    public AttentionStrides Q, K, V, O, DO, DQ, DK, DV;

    /// <summary>Rows of one key/value head: queries times heads of the group, head by head.</summary>
    public readonly int RowCount => Heads / KvHeads * Tq;

    /// <summary>Number of the first key that query <paramref name="query"/> does not see.</summary>
    public readonly int KeyEnd(int query) => Causal != 0 ? Math.Max(0, Math.Min(Tk, query + Tk - Tq + 1)) : Tk;
}

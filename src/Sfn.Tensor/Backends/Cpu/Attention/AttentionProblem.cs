namespace Sfn.Backends.Cpu;

/// <summary>
/// Scaled dot-product attention O = softmax(scale · Q Kᵀ + mask) V over strided float32 memory: Q, O [Batch, Tq, Heads, HeadDim] and
/// K, V [Batch, Tk, KvHeads, HeadDim] in any order of the outer axes (strides in elements; the head dimension has stride 1).
/// </summary>
/// <remarks>
/// Query head h reads key/value head h / (Heads / KvHeads). With <see cref="Causal"/>, query i attends keys j ≤ i + (Tk − Tq), so a few
/// new queries against a longer cache line up with its end. A query without any key gives output 0, <see cref="Lse"/> = −∞ and gradients 0.
/// A masked key takes part with weight 0: infinities or NaN in its value still reach the output (0 · NaN), as in the formula.
/// </remarks>
internal unsafe struct AttentionProblem
{
    public int Batch, Tq, Tk, Heads, KvHeads, HeadDim;
    public float* Q, K, V, O;

    /// <summary>[Batch, Heads, Tq]: log Σ exp of the scaled scores. Written by the forward pass unless null, read by the backward pass.</summary>
    public float* Lse;
    public long QBatch, QToken, QHead;
    public long KBatch, KToken, KHead;
    public long VBatch, VToken, VHead;
    public long OBatch, OToken, OHead;
    public float Scale;
    public bool Causal;

    /// <summary>Padding mask [Batch, Tk], 1 = attend, 0 = masked; null = every key is real.</summary>
    public byte* KeyMask;
    public long KeyMaskBatch;

    /// <summary>Backward only: the gradient of O, and the gradients it produces, which are overwritten.</summary>
    public float* DO, DQ, DK, DV;
    public long DOBatch, DOToken, DOHead;
    public long DQBatch, DQToken, DQHead;
    public long DKBatch, DKToken, DKHead;
    public long DVBatch, DVToken, DVHead;

    /// <summary>The range of keys that are not padding, and the end of what the queries before <paramref name="queryEnd"/> see of it.</summary>
    public readonly void KeyRange(int batch, int queryEnd, out int first, out int end, out int seen)
    {
        first = 0;
        end = Tk;
        if (KeyMask != null)
        {
            var mask = new ReadOnlySpan<byte>(KeyMask + batch * KeyMaskBatch, Tk);
            first = Math.Max(0, mask.IndexOfAnyExcept((byte)0));
            end = mask.LastIndexOfAnyExcept((byte)0) + 1;
        }
        seen = Causal ? Math.Min(end, queryEnd + Tk - Tq) : end;
    }

    /// <summary>Throws if the sizes contradict each other.</summary>
    public readonly void Check()
    {
        if (KvHeads <= 0 || Heads % KvHeads != 0)
            throw new ArgumentException($"Attention: {Heads} query heads cannot share {KvHeads} key/value heads evenly; make heads a multiple of kv heads.");
        if (HeadDim <= 0 || Batch < 0 || Tq < 0 || Tk < 0)
            throw new ArgumentException($"Attention: bad sizes batch={Batch}, Tq={Tq}, Tk={Tk}, head dim={HeadDim}; the head dim must be at least 1.");
    }
}

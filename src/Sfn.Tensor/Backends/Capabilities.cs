using Sfn.Kernels;

namespace Sfn.Backends;

/// <summary>The operands of a row op: matrices whose columns lie densely. A row stride of 0 repeats one row.</summary>
public readonly struct RowViews
{
    /// <summary>First input, [rows, columns].</summary>
    public View A { get; init; }

    /// <summary>Second input, if any.</summary>
    public View? B { get; init; }

    /// <summary>Third input, if any.</summary>
    public View? C { get; init; }

    /// <summary>Fourth input, if any.</summary>
    public View? D { get; init; }

    /// <summary>Output, [rows, columns], if any.</summary>
    public View? Y { get; init; }

    /// <summary>Scalar 0 of each row, [rows], read or written.</summary>
    public View? Scalar0 { get; init; }

    /// <summary>Scalar 1 of each row, [rows], read or written.</summary>
    public View? Scalar1 { get; init; }
}

/// <summary>Optional: row ops in one pass (softmax, norms).</summary>
public interface IRowKernels
{
    /// <summary>
    /// Whether the kernels take activations (and gradients of activations) of this element type; for others the op composes its result. Weights and biases
    /// of norms and the scalars of rows are float32 in any case.
    /// </summary>
    bool Takes(DType activations) => activations == DType.F32;

    /// <summary>Runs a row op over all rows. A view has an element type of its own: see <see cref="Takes"/>.</summary>
    void Rows<TRow>(TRow op, in RowViews views) where TRow : struct, IRow;

    /// <summary>dweight := Σ rows dy·(x − mean)·rstd and dbias := Σ rows dy (or +=), in a fixed order. Without mean, mean is 0.</summary>
    void NormWeightGrad(in View x, in View? mean, in View rstd, in View dy, in View dweight, in View? dbias, bool accumulate);
}

/// <summary>Optional, for devices that work while the host goes on: ids are checked without reading them back.</summary>
/// <remarks>Without it ops read the ids and check them at once, which makes the host wait; host memory needs nothing else.</remarks>
public interface IDeviceChecks
{
    /// <summary>
    /// Queues the check that every id is in 0..size-1 or equal to <paramref name="ignore"/>. A violation is thrown as
    /// <see cref="ShapeMismatch.OfIndex"/>, naming op and size, where the host waits next (<see cref="IBackend.Download"/>,
    /// <see cref="IBackend.Synchronize"/>). Until then kernels may meet the bad id: they must not touch memory outside of their operands.
    /// May be part of a captured graph; then every replay checks.
    /// </summary>
    /// <param name="ids">A dense vector of I32, U16 or U8.</param>
    /// <param name="size">Number of allowed ids.</param>
    /// <param name="ignore">An id that is allowed besides.</param>
    /// <param name="op">Named in the error.</param>
    void CheckIndices(in View ids, int size, int? ignore, string op);
}

/// <summary>Optional: cross-entropy of float32 logits in one or two passes.</summary>
public interface ICrossEntropy
{
    /// <summary>
    /// losses[i] := −log softmax(logits[i])[targets[i]], 0 where the target is <paramref name="ignore"/>. With
    /// <paramref name="gradient"/> the logits become softmax − onehot (0 for ignored rows) in place.
    /// </summary>
    void CrossEntropy(in View logits, in View targets, int ignore, in View losses, bool gradient);
}

/// <summary>What decides which elements a dropout keeps.</summary>
public readonly struct DropoutSpec
{
    /// <summary>An element is kept if its random word is at or above this: probability·2³².</summary>
    public uint Threshold { get; init; }

    /// <summary>Factor of the kept elements, 1/(1 − probability).</summary>
    public float Kept { get; init; }

    /// <summary>The seed, if <see cref="Memory"/> is null.</summary>
    public ulong Seed { get; init; }

    /// <summary>I32 [2] in device memory, lower and upper half of the step's seed, from which the own seed follows by the streams.</summary>
    public View? Memory { get; init; }

    /// <summary>How many of the two streams apply to <see cref="Memory"/>: 0, 1 or 2.</summary>
    public int Streams { get; init; }

    /// <summary>Hash of the outer stream's name.</summary>
    public ulong Stream0 { get; init; }

    /// <summary>Hash of the inner stream's name.</summary>
    public ulong Stream1 { get; init; }

    /// <summary>The own seed that follows from the two halves in <see cref="Memory"/>: <see cref="Philox.Seed(ulong, ulong)"/> for each stream.</summary>
    public ulong SeedOf(uint low, uint high)
    {
        ulong seed = (ulong)high << 32 | low;
        if (Streams > 0) seed = Philox.Seed(seed, Stream0);
        if (Streams > 1) seed = Philox.Seed(seed, Stream1);
        return seed;
    }
}

/// <summary>Optional: dropout without a mask in memory.</summary>
public interface IDropout
{
    /// <summary>
    /// y[i] := x[i]·factor(i), or y += …, where factor(i) is <see cref="DropoutSpec.Kept"/> if word i of Philox(seed) is at or above the threshold,
    /// else 0. i counts elements in row-major order; both are dense, float32 or bfloat16, of one type, and may be the same memory. The gradient is the
    /// same call on dy.
    /// </summary>
    void Dropout(in View x, in View y, in DropoutSpec spec, bool accumulate);
}

/// <summary>The operands of attention: q [batch, tq, heads, dim], k and v [batch, tk, kvHeads, dim], any strides but a dense last dimension.</summary>
public readonly struct AttentionViews
{
    /// <summary>Queries.</summary>
    public View Q { get; init; }

    /// <summary>Keys.</summary>
    public View K { get; init; }

    /// <summary>Values.</summary>
    public View V { get; init; }

    /// <summary>Result, like q.</summary>
    public View O { get; init; }

    /// <summary>Log-sum-exp of the scores, [batch, heads, tq].</summary>
    public View Lse { get; init; }

    /// <summary>Bool [batch, tk]: which keys exist.</summary>
    public View? Mask { get; init; }

    /// <summary>Factor on the scores, 1/√dim.</summary>
    public float Scale { get; init; }

    /// <summary>Query i sees keys up to i + tk − tq.</summary>
    public bool Causal { get; init; }

    /// <summary>What may be done to float32 factors of the two products.</summary>
    public MatMulMode Mode { get; init; }
}

/// <summary>Optional: attention without a matrix of scores in memory (Dao et al. 2022).</summary>
public interface IFlashAttention
{
    /// <summary>Whether the kernels take q, k, v and their gradients in this element type; the log-sum-exp is float32 in any case.</summary>
    bool Takes(DType activations) => activations == DType.F32;

    /// <summary>Result and log-sum-exp.</summary>
    void Attention(in AttentionViews views);

    /// <summary>Gradients of q, k and v, overwritten.</summary>
    void AttentionGrad(in AttentionViews views, in View dO, in View dQ, in View dK, in View dV);
}

/// <summary>Optional: rotary positions in one pass.</summary>
public interface IRotary
{
    /// <summary>Whether the kernel takes x and y of this element type; the tables are float32 in any case.</summary>
    bool Takes(DType activations) => activations == DType.F32;

    /// <summary>y := x [batch, tokens, heads, dim] rotated by the angles of positions start, start+1, …; tables are [positions, dim/2].</summary>
    void Rotate(in View x, in View y, in View cos, in View sin, int start, bool inverse);
}

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

/// <summary>Optional: cross-entropy of float32 logits in one or two passes.</summary>
public interface ICrossEntropy
{
    /// <summary>
    /// losses[i] := −log softmax(logits[i])[targets[i]], 0 where the target is <paramref name="ignore"/>. With
    /// <paramref name="gradient"/> the logits become softmax − onehot (0 for ignored rows) in place.
    /// </summary>
    void CrossEntropy(in View logits, in View targets, int ignore, in View losses, bool gradient);
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

/// <summary>Optional: optimizer steps in one pass over flat float32 storage.</summary>
public interface IOptimizerKernels
{
    /// <summary>
    /// One AdamW step (Loshchilov and Hutter 2019, torch's order): p·(1 − lr·decay) first, then −lr/correction1·m/(√v/√correction2 + ε).
    /// The gradient is multiplied by <paramref name="gradScale"/> before use.
    /// </summary>
    void AdamW(in View p, in View g, in View m, in View v, double lr, double beta1, double beta2, double epsilon, double decay,
        double correction1, double correction2, double gradScale);

    /// <summary>One step of SGD as torch does it: g·gradScale + decay·p, momentum m (null without), p − lr·m.</summary>
    void Sgd(in View p, in View g, in View? m, double lr, double momentum, double decay, double gradScale);
}

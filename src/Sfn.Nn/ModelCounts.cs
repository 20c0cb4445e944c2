namespace Sfn.Nn;

/// <summary>Parameters, FLOPs and memory of a configuration, by formula: nothing is built.</summary>
/// <remarks>
/// Source of the formulas: arXiv 2406.16450 and its reference code (attention scores are counted in full, not causally; a multiply-add is 2 FLOPs).
/// </remarks>
public sealed record ModelCounts
{
    private readonly TransformerConfig _config;

    /// <summary>Counts a configuration.</summary>
    /// <exception cref="ConfigError">The configuration is not valid.</exception>
    public ModelCounts(TransformerConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        _config = config.Validate();
        long h = config.Width, a = config.QueryWidth, kv = config.KeyValueWidth, layers = config.Layers;
        long norms = 2 * layers + 1, normBiases = config.Bias && config.Norm == NormKind.LayerNorm ? norms * h : 0;
        Embedding = config.VocabularySize * h;
        Positions = config.Positions == PositionKind.Learned ? config.Context * h : 0;
        Head = config.Tied ? 0 : Embedding;
        Attention = layers * (h * (a + 2 * kv) + a * h);
        for (int layer = 0; layer < config.Layers; layer++)
        {
            var structure = config.FeedForwardOf(layer);
            FeedForward += structure.Weights(h, config.UpWidth) + structure.Weights(config.HiddenWidth, h);
        }
        DenseFeedForward = layers * (h * config.UpWidth + config.HiddenWidth * h);
        Norms = norms * h + normBiases;
        Biases = config.Bias ? layers * (a + 2 * kv + h + config.UpWidth + h) : 0;
    }

    /// <summary>Token embedding weights, V·H.</summary>
    public long Embedding { get; }

    /// <summary>Learned position weights, n·H or 0.</summary>
    public long Positions { get; }

    /// <summary>Output head weights: 0 when tied.</summary>
    public long Head { get; }

    /// <summary>Attention weights: queries, keys, values and output, all layers.</summary>
    public long Attention { get; }

    /// <summary>Feedforward weights (all factors, the dense first layer included), without biases: the paper's "FFN" column.</summary>
    public long FeedForward { get; }

    /// <summary>Feedforward weights the same model would have if all were dense.</summary>
    public long DenseFeedForward { get; }

    /// <summary>Weights and biases of the norms.</summary>
    public long Norms { get; }

    /// <summary>Biases of the linear layers.</summary>
    public long Biases { get; }

    /// <summary>All parameters.</summary>
    public long Parameters => Embedding + Positions + Head + Attention + FeedForward + Norms + Biases;

    /// <summary>
    /// FLOPs of one forward pass over <paramref name="batch"/> sequences of the full context:
    /// F = 2·L·[2bn·A·H + 2bn·(A/heads)·kvHeads·H + 2b·n²·A] + 2bn·P_ffn + 2bn·V·H.
    /// </summary>
    /// <param name="batch">Sequences per step, b.</param>
    public double ForwardFlops(long batch)
    {
        double tokens = (double)batch * _config.Context, h = _config.Width, a = _config.QueryWidth, kv = _config.KeyValueWidth;
        double attention = 2 * tokens * a * h + 2 * tokens * kv * h + 2 * tokens * _config.Context * a;
        return 2.0 * _config.Layers * attention + 2 * tokens * FeedForward + 2 * tokens * Embedding;
    }

    /// <summary>FLOPs of training: forward and backward, 3 times the forward, over all steps.</summary>
    /// <param name="batch">Sequences per step, all micro-batches together.</param>
    /// <param name="steps">Optimizer steps.</param>
    public double TrainingFlops(long batch, long steps = 1) => 3 * ForwardFlops(batch) * steps;

    /// <summary>
    /// Bytes of tensors that training needs, an estimate before anything is allocated: <see cref="StateBytes"/>, what the tape keeps for a micro-batch, the
    /// gradients in flight when the backward pass begins, and the gradient of the logits.
    /// </summary>
    /// <remarks>
    /// Measured over 20 configurations it is 8 % too low to 2 % too high. The rest of the process (runtime, code, the kernels' scratch) comes on top:
    /// 100 to 150 MB.
    /// </remarks>
    /// <param name="microBatch">Sequences per forward pass.</param>
    public long TrainingBytes(long microBatch)
    {
        checked
        {
            long tokens = microBatch * _config.Context, size = _config.Numerics.Compute.Size();
            long perToken = size * (ActivationsPerToken + GradientsPerToken - StatisticsPerToken) + 4 * StatisticsPerToken;
            return StateBytes + tokens * perToken + LogitBytes(tokens, size);
        }
    }

    /// <summary>Bytes of parameters, gradients and two AdamW moments in float32, 16 each, and 2 more each for the bfloat16 values of mixed precision.</summary>
    public long StateBytes => (_config.Numerics.Compute == DType.BF16 ? 18 : 16) * Parameters;

    /// <summary>
    /// Numbers the tape keeps per token: in each layer the two norms' inputs and outputs, queries, keys, values (also rotated), the attention output, both
    /// sides of the activation and the inner activations of the factors; plus the embedding and the final norm.
    /// </summary>
    public long ActivationsPerToken
    {
        get
        {
            long h = _config.Width, a = _config.QueryWidth, kv = _config.KeyValueWidth, sum = 3 * h;
            for (int layer = 0; layer < _config.Layers; layer++)
            {
                var structure = _config.FeedForwardOf(layer);
                sum += 4 * h + (a + 2 * kv) + (_config.Positions == PositionKind.Rope ? a + kv : 0) + a + _config.Heads + 4;
                sum += _config.UpWidth + _config.HiddenWidth;
                sum += structure.InnerWidth(_config.Width, _config.UpWidth) + structure.InnerWidth(_config.HiddenWidth, _config.Width);
            }
            return sum;
        }
    }

    // When the backward pass has reached the last feedforward nothing of the tape is freed yet: gradients of the residual stream (before and after), of the
    // hidden layer and of one inner activation.
    private long GradientsPerToken => 2 * _config.Width + _config.UpWidth + _config.FeedForwardOf(_config.Layers - 1).InnerWidth(_config.Width, _config.UpWidth);

    // Mean and deviation of two norms and the log-sum-exp of each head: float32 in any case.
    private long StatisticsPerToken => _config.Layers * (_config.Heads + 4L);

    // The cross-entropy keeps the gradient of all logits; in mixed precision the float32 logits of a chunk of rows are beside it.
    private long LogitBytes(long tokens, long size)
        => checked(_config.VocabularySize * (size * tokens + (size < 4 ? 4 * Math.Min(tokens, Ops.LinearCrossEntropy.ChunkRows) : 0)));
}

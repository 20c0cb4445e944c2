namespace Sfn.Backends.Cpu;

/// <summary>
/// C[m, n] = residual + f(alpha · Σ_k A[m, k] B[k, n] + (C[m, n] if accumulating) + bias[n]), for up to two leading batch dimensions.
/// </summary>
/// <remarks>All strides are in elements. C must not overlap A, B, the bias or the residual.</remarks>
internal unsafe struct GemmProblem
{
    public int M, N, K;
    public float* A;
    public long ARow, ACol;
    public float* B;
    public long BRow, BCol;   // BRow steps along k, BCol along n: a weight W[n, k] is BRow = 1, BCol = its row stride
    public float* C;
    public long CRow, CCol;   // CCol = 1, or the interleave form: CCol = l with l batches of batch stride 1, C[t, sigma * l + lambda]
    public int Batch0, Batch1;
    public long A0, A1, B0, B1, C0, C1;
    public bool Accumulate;
    public float Alpha;       // 1 unless the product is to be scaled
    public float* Bias;       // length N per batch, or null
    public long BiasStride;   // between bias elements; 0 means 1
    public long Bias0, Bias1;
    public float* Residual;   // indexed as C with unit columns; only for one batch (the interleaved blocks of one C count as one), or null
    public long ResidualRow;
    public Activation Activation;

    /// <summary>Whether anything follows the product.</summary>
    public readonly bool HasEpilogue => Bias != null || Residual != null || Activation != Activation.None;
}

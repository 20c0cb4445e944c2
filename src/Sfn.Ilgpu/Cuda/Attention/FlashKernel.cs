namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>What an attention kernel computes.</summary>
internal enum FlashPass
{
    /// <summary>O and the log-sum-exp.</summary>
    Forward,
    /// <summary>rowsum(dO ∘ O), and the log-sum-exp as the gradients want it.</summary>
    Delta,
    /// <summary>dQ.</summary>
    QueryGrad,
    /// <summary>dK and dV.</summary>
    KeyGrad,
}

/// <summary>One kernel text of attention on tensor cores, for bfloat16.</summary>
/// <param name="Pass">What it computes.</param>
/// <param name="Dim">Head dimension: 32, 64, 96 or 128.</param>
/// <param name="Masked">Whether it reads a mask of keys.</param>
internal sealed record FlashKernel(FlashPass Pass, int Dim, bool Masked)
{
    /// <summary>Threads of a block: four warps, one per processing part of a multiprocessor.</summary>
    public const int Threads = 128;

    /// <summary>Head dimensions there are kernels for.</summary>
    public static readonly int[] Dims = [32, 64, 96, 128];

    /// <summary>Every kernel that can be launched.</summary>
    public static IEnumerable<FlashKernel> All
    {
        get
        {
            foreach (int dim in Dims)
            {
                yield return new(FlashPass.Delta, dim, false);
                foreach (bool masked in new[] { false, true })
                    foreach (var pass in new[] { FlashPass.Forward, FlashPass.QueryGrad, FlashPass.KeyGrad })
                        yield return new(pass, dim, masked);
            }
        }
    }

    /// <summary>Entry point.</summary>
    public string Name => $"flash_{Pass.ToString().ToLowerInvariant()}_{Dim}{(Masked ? "_masked" : "")}";

    /// <summary>
    /// Strips of 16 rows per warp. A fragment of the columns' operand that is loaded from shared memory serves all strips of the warp, so two
    /// strips need half the loads; the gradient of wide keys has two outputs and registers for one strip only.
    /// </summary>
    public int Strips => Pass == FlashPass.KeyGrad && Dim > 64 ? 1 : 2;

    /// <summary>Rows of a block: queries, or keys in their gradient.</summary>
    public int Rows => Threads / 32 * 16 * Strips;

    /// <summary>Columns of a tile of scores: keys, or queries in the gradient of the keys.</summary>
    public int Columns => Pass switch
    {
        FlashPass.QueryGrad => Dim > 64 ? 32 : 64,
        FlashPass.KeyGrad => Dim == 64 ? 32 : 64,
        _ => 64,
    };

    /// <summary>Whether the fragments of the queries stay in registers.</summary>
    public bool KeepsQueries => Pass == FlashPass.Forward && Dim <= 64;

    /// <summary>
    /// Bytes of shared memory behind the forward pass's tiles: addresses, and with the widest output, whose sums fill half the registers, four
    /// maxima and sums of weights per thread.
    /// </summary>
    public int NoteBytes => 32 + (NotesRows ? Threads * 32 : 0);

    /// <summary>Whether the rows' maxima and sums of weights wait in shared memory while scores are computed.</summary>
    public bool NotesRows => Dim > 96;

    /// <summary>Blocks per multiprocessor that registers must suffice for.</summary>
    public int Blocks => Pass switch
    {
        FlashPass.Delta => 8,
        _ => 2,
    };

    /// <summary>Dynamic shared memory.</summary>
    public int SharedBytes => Pass switch
    {
        FlashPass.Forward => (Rows + 2 * Columns) * Dim * 2 + NoteBytes,
        FlashPass.QueryGrad => (2 * Rows + 4 * Columns) * Dim * 2,
        FlashPass.KeyGrad => (2 * Rows + 4 * Columns) * Dim * 2 + 4 * Columns * sizeof(float),
        _ => 0,
    };

    /// <summary>The text.</summary>
    public string Build() => Pass switch
    {
        FlashPass.Forward => FlashForward.Build(this),
        FlashPass.Delta => FlashDelta.Build(this),
        FlashPass.QueryGrad => FlashQueryGrad.Build(this),
        _ => FlashKeyGrad.Build(this),
    };
}

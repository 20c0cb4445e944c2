namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>What the tensor cores multiply. Sums are float32 for both.</summary>
internal enum GemmKind
{
    /// <summary>bfloat16 operands in memory, mma.m16n8k16.</summary>
    BFloat16,
    /// <summary>float32 operands in memory, rounded to 10 bits of mantissa (to nearest) on the way into mma.m16n8k8.</summary>
    Tf32,
    /// <summary>
    /// float32 operands, each multiplied as the sum of two tf32 numbers: three mma.m16n8k8 leave out only low·low, which is below the last
    /// bit of float32. ∞ in an operand gives NaN.
    /// </summary>
    Float32,
}

/// <summary>Which index of an operand runs through neighbouring memory. The outer index is m for A and n for B.</summary>
internal enum OperandLayout
{
    /// <summary>The summed index: A row-major, or B = Wᵀ with W row-major.</summary>
    KContiguous,
    /// <summary>The index that the result keeps: A = Xᵀ with X row-major, or B row-major.</summary>
    OuterContiguous,
}

/// <summary>Shape of a block's work. A row of k is always 128 bytes: 64 bfloat16 or 32 float32.</summary>
/// <param name="M">Rows of C per block.</param>
/// <param name="N">Columns of C per block.</param>
/// <param name="WarpsM">Warps along m.</param>
/// <param name="WarpsN">Warps along n.</param>
/// <param name="Stages">Tiles of k in flight.</param>
/// <param name="Blocks">Blocks meant to share a multiprocessor; bounds registers and shared memory.</param>
internal sealed record GemmTile(int M, int N, int WarpsM, int WarpsN, int Stages, int Blocks)
{
    /// <summary>Bytes of k per tile row in shared memory.</summary>
    public const int RowBytes = 128;

    /// <summary>Large products: 64x64 per warp, the most arithmetic per byte that the registers allow.</summary>
    public static readonly GemmTile Wide = new(128, 256, 2, 4, 4, 1);

    /// <summary>Two blocks per multiprocessor, so that one's epilogue runs beside the other's products.</summary>
    public static readonly GemmTile Square = new(128, 128, 2, 2, 3, 2);

    /// <summary>Few columns.</summary>
    public static readonly GemmTile Tall = new(128, 64, 2, 2, 4, 2);

    /// <summary>Small products.</summary>
    public static readonly GemmTile Small = new(64, 64, 2, 2, 4, 3);

    /// <summary>Few rows, as in decoding many sequences: narrow and deep, because reading B is all that takes time.</summary>
    public static readonly GemmTile Thin = new(64, 32, 4, 1, 8, 2);

    /// <summary>At most 16 rows.</summary>
    public static readonly GemmTile Flat = new(16, 32, 1, 2, 8, 4);

    /// <summary>Large products of float32, whose factors take two registers each.</summary>
    public static readonly GemmTile Precise = new(128, 128, 2, 4, 4, 1);

    /// <summary>Largest first, for 16-byte copies of float32.</summary>
    public static readonly GemmTile[] AllPrecise = [Precise, Small, Thin, Flat];

    /// <summary>Largest first, for 16-byte copies.</summary>
    public static readonly GemmTile[] All = [Wide, Square, Tall, Small, Thin, Flat];

    /// <summary>For 4-byte copies, whose many addresses leave fewer registers for sums.</summary>
    public static readonly GemmTile[] Unaligned = [new(128, 128, 2, 4, 3, 1), new(64, 64, 2, 2, 4, 2), new(16, 64, 1, 4, 4, 2)];

    /// <summary>Threads per block.</summary>
    public int Threads => WarpsM * WarpsN * 32;

    /// <summary>Rows of C per warp.</summary>
    public int WarpM => M / WarpsM;

    /// <summary>Columns of C per warp.</summary>
    public int WarpN => N / WarpsN;

    /// <summary>Bytes of one stage: M + N rows of k.</summary>
    public int StageBytes => (M + N) * RowBytes;

    /// <summary>Bytes of one row of the epilogue's float32 copy of C. Eight floats of padding keep the fragments' stores free of bank conflicts.</summary>
    public int StagingPitch => (N + 8) * 4;

    /// <summary>Dynamic shared memory of a block.</summary>
    public int SharedBytes => Math.Max(Stages * StageBytes, M * StagingPitch);
}

/// <summary>One tensor-core kernel: everything that changes its text. Bias, activation, accumulation, residual and types of C are run-time flags.</summary>
/// <param name="tile">Work of a block.</param>
/// <param name="kind">Operand type.</param>
/// <param name="a">Layout of A.</param>
/// <param name="b">Layout of B.</param>
/// <param name="copyBytes">Bytes per asynchronous copy: 16 where base addresses and strides allow it, else 4.</param>
internal sealed class GemmKernel(GemmTile tile, GemmKind kind, OperandLayout a, OperandLayout b, int copyBytes)
{
    private static readonly GemmKernel[] s_all = [.. Enumerate()];
    private Func<string>? _ampere, _hopper;

    /// <summary>Every kernel that can be launched; of those that differ in the tile alone, the largest tile comes first.</summary>
    public static IReadOnlyList<GemmKernel> All => s_all;

    /// <summary>Work of a block.</summary>
    public GemmTile Tile { get; } = tile;

    /// <summary>Operand type.</summary>
    public GemmKind Kind { get; } = kind;

    /// <summary>Layout of A.</summary>
    public OperandLayout A { get; } = a;

    /// <summary>Layout of B.</summary>
    public OperandLayout B { get; } = b;

    /// <summary>Bytes per asynchronous copy.</summary>
    public int CopyBytes { get; } = copyBytes;

    /// <summary>The entry point: type, tile, then n or t for A and B as stored against row-major, then the copy width if it is not 16.</summary>
    public string Name { get; } = $"gemm_{Prefix(kind)}_{tile.M}x{tile.N}x{GemmTile.RowBytes / Size(kind)}_" +
        $"{(a == OperandLayout.KContiguous ? 'n' : 't')}{(b == OperandLayout.OuterContiguous ? 'n' : 't')}{(copyBytes == 16 ? "" : $"_copy{copyBytes}")}";

    /// <summary><see cref="TensorCoreGemm.Build"/> of this kernel as a delegate that is made once. Only tf32 kernels differ on Hopper.</summary>
    public Func<string> Text(bool hopper) => hopper && Kind == GemmKind.Tf32
        ? _hopper ??= () => TensorCoreGemm.Build(this, hopper: true)
        : _ampere ??= () => TensorCoreGemm.Build(this, hopper: false);

    /// <summary>Bytes per operand element.</summary>
    public int ElementBytes => Size(Kind);

    /// <summary>k per tile.</summary>
    public int TileK => GemmTile.RowBytes / ElementBytes;

    /// <summary>k per mma instruction.</summary>
    public int StepK => Kind == GemmKind.BFloat16 ? 16 : 8;

    private static string Prefix(GemmKind kind) => kind switch { GemmKind.BFloat16 => "bf16", GemmKind.Tf32 => "tf32", _ => "f32" };

    private static int Size(GemmKind kind) => kind == GemmKind.BFloat16 ? 2 : 4;

    // An operand whose outer index is contiguous needs 128 bytes of it per row of shared memory, for the permutation of chunks.
    private static IEnumerable<GemmKernel> Enumerate() =>
        from copyBytes in new[] { 16, 4 }
        from kind in Enum.GetValues<GemmKind>()
        from a in new[] { OperandLayout.KContiguous, OperandLayout.OuterContiguous }
        from b in new[] { OperandLayout.OuterContiguous, OperandLayout.KContiguous }
        from tile in copyBytes < 16 ? GemmTile.Unaligned : kind == GemmKind.Float32 ? GemmTile.AllPrecise : GemmTile.All
        where a == OperandLayout.KContiguous || tile.M * Size(kind) >= GemmTile.RowBytes
        where b == OperandLayout.KContiguous || tile.N * Size(kind) >= GemmTile.RowBytes
        select new GemmKernel(tile, kind, a, b, copyBytes);
}

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>What the tensor cores multiply. Sums are float32 for both.</summary>
internal enum GemmKind
{
    /// <summary>bfloat16 operands in memory, mma.m16n8k16.</summary>
    BFloat16,
    /// <summary>float32 operands in memory, rounded to 10 bits of mantissa (to nearest) on the way into mma.m16n8k8.</summary>
    Tf32,
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

    /// <summary>At most 16 rows, as in decoding: bound by reading B.</summary>
    public static readonly GemmTile Flat = new(16, 128, 1, 4, 4, 3);

    /// <summary>Largest first, for 16-byte copies.</summary>
    public static readonly GemmTile[] All = [Wide, Square, Tall, Small, Flat];

    /// <summary>For 4-byte copies, whose many addresses leave fewer registers for sums.</summary>
    public static readonly GemmTile[] Unaligned = [new(128, 128, 2, 4, 3, 1), new(64, 64, 2, 2, 4, 2), new(16, 128, 1, 4, 4, 2)];

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
/// <param name="Tile">Work of a block.</param>
/// <param name="Kind">Operand type.</param>
/// <param name="A">Layout of A.</param>
/// <param name="B">Layout of B.</param>
/// <param name="CopyBytes">Bytes per asynchronous copy: 16 where base addresses and strides allow it, else 4.</param>
internal sealed record GemmKernel(GemmTile Tile, GemmKind Kind, OperandLayout A, OperandLayout B, int CopyBytes)
{
    /// <summary>Bytes per operand element.</summary>
    public int ElementBytes => Kind == GemmKind.BFloat16 ? 2 : 4;

    /// <summary>k per tile.</summary>
    public int TileK => GemmTile.RowBytes / ElementBytes;

    /// <summary>k per mma instruction.</summary>
    public int StepK => Kind == GemmKind.BFloat16 ? 16 : 8;

    /// <summary>The entry point: type, tile, then n or t for A and B as stored against row-major, then the copy width if it is not 16.</summary>
    public string Name => $"gemm_{(Kind == GemmKind.BFloat16 ? "bf16" : "tf32")}_{Tile.M}x{Tile.N}x{TileK}_" +
        $"{(A == OperandLayout.KContiguous ? 'n' : 't')}{(B == OperandLayout.OuterContiguous ? 'n' : 't')}{(CopyBytes == 16 ? "" : $"_copy{CopyBytes}")}";

    /// <summary>Whether the tile can be laid out so: a transposed A needs 128 bytes of m per row of shared memory for its swizzle.</summary>
    public static bool Exists(GemmTile tile, GemmKind kind, OperandLayout a) =>
        a == OperandLayout.KContiguous || tile.M * (kind == GemmKind.BFloat16 ? 2 : 4) >= GemmTile.RowBytes;

    /// <summary>The kernels for operands of one type, layout and alignment, largest tile first.</summary>
    public static IEnumerable<GemmKernel> For(GemmKind kind, OperandLayout a, OperandLayout b, int copyBytes) =>
        from tile in copyBytes == 16 ? GemmTile.All : GemmTile.Unaligned
        where Exists(tile, kind, a)
        select new GemmKernel(tile, kind, a, b, copyBytes);

    /// <summary>Every kernel that can be launched.</summary>
    public static IEnumerable<GemmKernel> All =>
        from copyBytes in new[] { 16, 4 }
        from kind in new[] { GemmKind.BFloat16, GemmKind.Tf32 }
        from a in new[] { OperandLayout.KContiguous, OperandLayout.OuterContiguous }
        from b in new[] { OperandLayout.OuterContiguous, OperandLayout.KContiguous }
        from kernel in For(kind, a, b, copyBytes)
        select kernel;
}

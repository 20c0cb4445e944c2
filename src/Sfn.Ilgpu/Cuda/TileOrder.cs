namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// Which tile a block computes. Blocks that run at the same time should share rows of A and columns of B, so tiles are walked down a group
/// of rows of tiles before the next column; batches come one after the other, or innermost when they share sectors of C.
/// </summary>
internal sealed class TileOrder
{
    /// <summary>Thread in the block, 32 bit.</summary>
    public required string Thread { get; init; }

    /// <summary>First row and column of the tile.</summary>
    public required string M0 { get; init; }

    /// <summary>First column of the tile.</summary>
    public required string N0 { get; init; }

    /// <summary>Rows of C.</summary>
    public required string M { get; init; }

    /// <summary>Columns of C.</summary>
    public required string N { get; init; }

    /// <summary>Which part of k.</summary>
    public required string Split { get; init; }

    /// <summary>Batch, both indices in one.</summary>
    public required string Batch { get; init; }

    /// <summary>Outer batch index, 64 bit.</summary>
    public required string OuterBatch { get; init; }

    /// <summary>Inner batch index, 64 bit.</summary>
    public required string InnerBatch { get; init; }

    /// <summary>Writes the arithmetic. The grid is (tiles · batches, splits).</summary>
    public static TileOrder Emit(PtxWriter w, GemmFields p, GemmTile tile) => Emit(w, p, tile.M, tile.N);

    /// <summary>The same for tiles of any size.</summary>
    public static TileOrder Emit(PtxWriter w, GemmFields p, int tileM, int tileN)
    {
        w.Comment("Which tile of which batch.");
        string thread = w.U32("thread"), block = w.U32("block"), split = w.U32("split");
        w.Op($"mov.u32 {thread}, %tid.x");
        w.Op($"mov.u32 {block}, %ctaid.x");
        w.Op($"mov.u32 {split}, %ctaid.y");
        string m = p[nameof(GemmParameters.M)], n = p[nameof(GemmParameters.N)], batches = p[nameof(GemmParameters.Batches)];
        string flags = p[nameof(GemmParameters.Flags)], group = p[nameof(GemmParameters.Group)];
        string tilesM = w.U32("tiles_m"), tilesN = w.U32("tiles_n"), perBatch = w.U32("tiles_per_batch"), batch = w.U32("batch"), index = w.U32("index");
        w.Op($"add.u32 {tilesM}, {m}, {tileM - 1}");
        w.Op($"div.u32 {tilesM}, {tilesM}, {tileM}");
        w.Op($"add.u32 {tilesN}, {n}, {tileN - 1}");
        w.Op($"div.u32 {tilesN}, {tilesN}, {tileN}");
        w.Op($"mul.lo.u32 {perBatch}, {tilesM}, {tilesN}");
        string inner = w.Predicate("batch_inner"), bit = w.U32("batch_bit"), by = w.U32("by"), quotient = w.U32("quotient"), rest = w.U32("rest");
        w.Op($"and.b32 {bit}, {flags}, {(uint)GemmFlags.BatchInner}");
        w.Op($"setp.ne.u32 {inner}, {bit}, 0");
        w.Op($"selp.b32 {by}, {batches}, {perBatch}, {inner}");
        w.Op($"div.u32 {quotient}, {block}, {by}");
        w.Op($"rem.u32 {rest}, {block}, {by}");
        w.Op($"selp.b32 {batch}, {rest}, {quotient}, {inner}");
        w.Op($"selp.b32 {index}, {quotient}, {rest}, {inner}");

        string width = w.U32("group_tiles"), first = w.U32("group_first"), size = w.U32("group_size"), m0 = w.U32("m0"), n0 = w.U32("n0");
        w.Op($"mul.lo.u32 {width}, {group}, {tilesN}");
        w.Op($"div.u32 {first}, {index}, {width}");
        w.Op($"rem.u32 {rest}, {index}, {width}");
        w.Op($"mul.lo.u32 {first}, {first}, {group}");
        w.Op($"sub.u32 {size}, {tilesM}, {first}");
        w.Op($"min.u32 {size}, {size}, {group}");
        w.Op($"rem.u32 {m0}, {rest}, {size}");
        w.Op($"add.u32 {m0}, {m0}, {first}");
        w.Op($"div.u32 {n0}, {rest}, {size}");
        w.Op($"mul.lo.u32 {m0}, {m0}, {tileM}");
        w.Op($"mul.lo.u32 {n0}, {n0}, {tileN}");

        string innerBatches = p[nameof(GemmParameters.InnerBatches)], outer64 = w.U64("batch_outer"), inner64 = w.U64("batch_in");
        w.Op($"div.u32 {quotient}, {batch}, {innerBatches}");
        w.Op($"rem.u32 {rest}, {batch}, {innerBatches}");
        w.Op($"cvt.u64.u32 {outer64}, {quotient}");
        w.Op($"cvt.u64.u32 {inner64}, {rest}");
        return new()
        {
            Thread = thread, M0 = m0, N0 = n0, M = m, N = n, Split = split, Batch = batch, OuterBatch = outer64, InnerBatch = inner64,
        };
    }
}

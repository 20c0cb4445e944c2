namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>Which rows of which head a block computes, and the registers that every attention kernel needs.</summary>
internal sealed class FlashBlock
{
    /// <summary>
    /// Blocks of one head follow each other, so that they find its operands in the cache; the last rows, which see the most keys, come first.
    /// </summary>
    /// <param name="w">Writer.</param>
    /// <param name="kernel">Kernel.</param>
    /// <param name="p">Parameters.</param>
    /// <param name="lastFirst">Whether the last rows come first.</param>
    /// <param name="nothing">
    /// A register that is 0 at run time, or null. With it everything is computed afresh, so that nothing needs a register from the kernel's begin
    /// to its end.
    /// </param>
    public FlashBlock(PtxWriter w, FlashKernel kernel, FlashFields p, bool lastFirst, string? nothing = null)
    {
        Thread = w.U32("thread");
        Lane = w.U32("lane");
        Lane2 = w.U32("lane2");
        WarpRow = w.U32("warp_row");
        Shared = w.U32("shared");
        First = w.U32("first");
        Head = w.U32("head");
        Batch = w.U32("batch");
        string block = w.U32("block"), tiles = p[nameof(FlashParameters.Tiles)];
        string heads = p[kernel.Pass == FlashPass.KeyGrad ? nameof(FlashParameters.KvHeads) : nameof(FlashParameters.Heads)];
        w.Op($"mov.u32 {Thread}, %tid.x");
        if (nothing is not null) w.Op($"add.u32 {Thread}, {Thread}, {nothing}");
        w.Op($"and.b32 {Lane}, {Thread}, 31");
        w.Op($"and.b32 {Lane2}, {Thread}, 3");
        w.Op($"shl.b32 {Lane2}, {Lane2}, 1");
        w.Op($"shr.u32 {WarpRow}, {Thread}, 5");
        w.Op($"mul.lo.u32 {WarpRow}, {WarpRow}, {16 * kernel.Strips}");
        w.Op($"mov.u32 {Shared}, {PtxWriter.DynamicShared}");
        w.Op($"mov.u32 {block}, %ctaid.x");
        if (nothing is not null) w.Op($"add.u32 {block}, {block}, {nothing}");
        w.Op($"rem.u32 {First}, {block}, {tiles}");
        w.Op($"div.u32 {block}, {block}, {tiles}");
        if (lastFirst)
        {
            w.Op($"sub.u32 {First}, {tiles}, {First}");
            w.Op($"sub.u32 {First}, {First}, 1");
        }
        w.Op($"mul.lo.u32 {First}, {First}, {kernel.Rows}");
        w.Op($"rem.u32 {Head}, {block}, {heads}");
        w.Op($"div.u32 {Batch}, {block}, {heads}");
    }

    /// <summary>Thread in the block, and lane in the warp.</summary>
    public string Thread { get; }

    /// <summary>Lane in the warp.</summary>
    public string Lane { get; }

    /// <summary>Twice the lane modulo 4: the first of the two columns that the lane holds of eight.</summary>
    public string Lane2 { get; }

    /// <summary>First row of the warp in the block's tile.</summary>
    public string WarpRow { get; }

    /// <summary>Address of dynamic shared memory.</summary>
    public string Shared { get; }

    /// <summary>First row of the block.</summary>
    public string First { get; }

    /// <summary>Head: of the queries, or of the keys in their gradient.</summary>
    public string Head { get; }

    /// <summary>Batch element.</summary>
    public string Batch { get; }

    /// <summary>Address of row <paramref name="row"/> of an operand.</summary>
    public static string Row(PtxWriter w, string origin, string stride, string row)
    {
        string address = w.U64("row_address");
        w.Op($"cvt.u64.u32 {address}, {row}");
        w.Op($"mad.lo.u64 {address}, {address}, {stride}, {origin}");
        return address;
    }

    /// <summary>The group's key/value head of a query head.</summary>
    public string KvHead(PtxWriter w, FlashFields p)
    {
        string head = w.U32("kv_head");
        w.Op($"div.u32 {head}, {Head}, {p[nameof(FlashParameters.Group)]}");
        return head;
    }

    /// <summary>
    /// The keys that the block's queries see: <paramref name="end"/> behind the last one of all, <paramref name="common"/> behind the last that
    /// every query sees.
    /// </summary>
    public void KeyRange(PtxWriter w, FlashKernel kernel, FlashFields p, out string end, out string common)
    {
        string tk = p[nameof(FlashParameters.Tk)], tq = p[nameof(FlashParameters.Tq)], causal = w.Predicate("causal"), offset = w.U32("offset");
        (end, common) = (w.U32("key_end"), w.U32("key_common"));
        w.Op($"setp.ne.u32 {causal}, {p[nameof(FlashParameters.Causal)]}, 0");
        w.Op($"sub.s32 {offset}, {tk}, {tq}");
        w.Op($"add.s32 {end}, {First}, {kernel.Rows}");
        w.Op($"min.s32 {end}, {end}, {tq}");
        w.Op($"add.s32 {end}, {end}, {offset}");
        w.Op($"min.s32 {end}, {end}, {tk}");
        w.Op($"max.s32 {end}, {end}, 0");
        w.Op($"selp.b32 {end}, {end}, {tk}, {causal}");
        w.Op($"add.s32 {common}, {First}, {offset}");
        w.Op($"add.s32 {common}, {common}, 1");
        w.Op($"min.s32 {common}, {common}, {tk}");
        w.Op($"selp.b32 {common}, {common}, {tk}, {causal}");
    }

    /// <summary>Hides the keys of the tile at <paramref name="key"/> that a row does not see, if there are any.</summary>
    /// <param name="w">Writer.</param>
    /// <param name="kernel">Kernel.</param>
    /// <param name="p">Parameters.</param>
    /// <param name="key">First key of the tile.</param>
    /// <param name="common">See <see cref="KeyRange"/>.</param>
    /// <param name="nothing">A register that is 0 at run time: few tiles need this, so its operands are computed here, afresh.</param>
    /// <param name="scores">Scores [strip, column/8, 4].</param>
    public static void MaskTile(PtxWriter w, FlashKernel kernel, FlashFields p, string key, string common, string nothing, string[] scores)
    {
        string last = w.U32("tile_end"), edge = w.Predicate("edge"), origin = w.U32("tile_origin"), bound = w.U32("key_bound"), causal = w.Predicate("causal");
        w.Op($"add.u32 {last}, {key}, {kernel.Columns}");
        w.Op($"setp.gt.s32 {edge}, {last}, {common}");
        using (w.If(edge, "mask"))
        {
            var block = new FlashBlock(w, kernel, p, lastFirst: true, nothing);
            w.Op($"shr.u32 {bound}, {block.Lane}, 2");
            w.Op($"add.s32 {bound}, {bound}, {block.WarpRow}");
            w.Op($"add.s32 {bound}, {bound}, {block.First}");
            w.Op($"add.s32 {bound}, {bound}, {p[nameof(FlashParameters.Tk)]}");
            w.Op($"sub.s32 {bound}, {bound}, {p[nameof(FlashParameters.Tq)]}");
            w.Op($"add.s32 {bound}, {bound}, 1");
            // Without the causal rule the bound is as far away as any row needs.
            w.Op($"setp.ne.u32 {causal}, {p[nameof(FlashParameters.Causal)]}, 0");
            w.Op($"selp.b32 {bound}, {bound}, {1 << 30}, {causal}");
            string[] bounds = w.U32("bound", kernel.Strips * 2);
            w.Op($"add.s32 {origin}, {key}, {block.Lane2}");
            for (int i = 0; i < bounds.Length; i++)
            {
                w.Op($"add.s32 {bounds[i]}, {bound}, {i * 8}");
                w.Op($"min.s32 {bounds[i]}, {bounds[i]}, {p[nameof(FlashParameters.Tk)]}");
                w.Op($"sub.s32 {bounds[i]}, {bounds[i]}, {origin}");
            }
            FlashMath.MaskColumns(w, kernel, scores, bounds, atLeast: true);
        }
    }

    /// <summary>Number of rows of the block that exist: size − first.</summary>
    public string Count(PtxWriter w, string size)
    {
        string count = w.U32("count");
        w.Op($"sub.s32 {count}, {size}, {First}");
        return count;
    }

    /// <summary>Index of the lane's first row in [batch, heads, tq].</summary>
    public string Scalar(PtxWriter w, FlashFields p, string row)
    {
        string index = w.U32("scalar");
        w.Op($"mad.lo.u32 {index}, {Batch}, {p[nameof(FlashParameters.Heads)]}, {Head}");
        w.Op($"mad.lo.u32 {index}, {index}, {p[nameof(FlashParameters.Tq)]}, {row}");
        return index;
    }
}

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// dK and dV on tensor cores: a block keeps its keys and values, which are the rows here, and walks over the queries of all heads of the group, in
/// one order, so that no sums need to be joined. With Pᵀ = 2^(Sᵀ − lse) and dSᵀ = Pᵀ ∘ (V dOᵀ − D), dV = Pᵀ dO and dK = scale · dSᵀ Q.
/// </summary>
/// <remarks>
/// Scores are computed transposed: their sums are then the left fragments of both products. A masked key's row reaches no other row, so it is
/// zeroed at the end.
/// </remarks>
internal static class FlashKeyGrad
{
    /// <summary>The text of one kernel.</summary>
    public static string Build(FlashKernel kernel)
    {
        var w = new PtxWriter(kernel.Name, FlashKernel.Threads, kernel.Blocks);
        var p = new FlashFields(w);
        var block = new FlashBlock(w, kernel, p, lastFirst: false);
        int rowBytes = kernel.Dim * 2, tileBytes = kernel.Columns * rowBytes, scalarBytes = 2 * kernel.Columns * sizeof(float);
        var keys = new FlashTile("k", kernel.Rows, kernel.Dim, 0);
        var values = new FlashTile("v", kernel.Rows, kernel.Dim, kernel.Rows * rowBytes);
        var queries = new FlashTile("q", kernel.Columns, kernel.Dim, 2 * kernel.Rows * rowBytes);
        var gradients = new FlashTile("do", kernel.Columns, kernel.Dim, 2 * kernel.Rows * rowBytes + 2 * tileBytes);
        int scalars = 2 * kernel.Rows * rowBytes + 4 * tileBytes;
        string kStride = p[nameof(FlashParameters.KToken)], vStride = p[nameof(FlashParameters.VToken)];
        string qStride = p[nameof(FlashParameters.QToken)], gStride = p[nameof(FlashParameters.DOToken)];
        string tq = p[nameof(FlashParameters.Tq)], group = p[nameof(FlashParameters.Group)];
        keys.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.KToken)));
        values.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.VToken)));
        queries.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.QToken)));
        gradients.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.DOToken)));
        var scalarCopy = new ScalarCopy(w, kernel, p, block, scalars);

        string count = block.Count(w, p[nameof(FlashParameters.Tk)]);
        keys.Copy(w, keys.Own(w, FlashBlock.Row(w, p.Head("K", block.Batch, block.Head), kStride, block.First)), count);
        values.Copy(w, values.Own(w, FlashBlock.Row(w, p.Head("V", block.Batch, block.Head), vStride, block.First)), count);

        w.Comment("The first queries that see any of these keys, and for the lane's first row the query that sees it first.");
        string start = w.U32("start"), bound = w.U32("bound"), lastBound = w.U32("last_bound"), offset = w.U32("offset"), causal = w.Predicate("causal");
        w.Op($"setp.ne.u32 {causal}, {p[nameof(FlashParameters.Causal)]}, 0");
        w.Op($"sub.s32 {offset}, {p[nameof(FlashParameters.Tk)]}, {tq}");
        w.Op($"sub.s32 {start}, {block.First}, {offset}");
        w.Op($"add.s32 {lastBound}, {start}, {kernel.Rows - 1}");
        w.Op($"shr.u32 {bound}, {block.Lane}, 2");
        w.Op($"add.s32 {bound}, {bound}, {block.WarpRow}");
        w.Op($"add.s32 {bound}, {bound}, {start}");
        w.Op($"max.s32 {start}, {start}, 0");
        w.Op($"and.b32 {start}, {start}, {-kernel.Columns}");
        w.Op($"selp.b32 {start}, {start}, 0, {causal}");
        w.Op($"selp.b32 {lastBound}, {lastBound}, {-(1 << 30)}, {causal}");

        string head = w.U32("query_head"), member = w.U32("member"), query = w.U32("query");
        string nextMember = w.U32("next_member"), nextQuery = w.U32("next_query"), read = w.U32("read"), write = w.U32("write");
        string scalarRead = w.U32("scalar_read"), scalarWrite = w.U32("scalar_write");
        string left = w.U32("left"), more = w.Predicate("more"), wraps = w.Predicate("wraps");
        void Issue(string ofMember, string fromQuery, string stage, string scalarStage)
        {
            w.Op($"mad.lo.u32 {head}, {block.Head}, {group}, {ofMember}");
            w.Op($"sub.s32 {left}, {tq}, {fromQuery}");
            queries.Copy(w, queries.Own(w, FlashBlock.Row(w, p.Head("Q", block.Batch, head), qStride, fromQuery)), left, stage);
            gradients.Copy(w, gradients.Own(w, FlashBlock.Row(w, p.Head("DO", block.Batch, head), gStride, fromQuery)), left, stage);
            scalarCopy.Copy(w, head, fromQuery, scalarStage);
            w.Op("cp.async.commit_group");
        }

        string kLane = keys.LaneLeft(w, block.Lane, block.Shared, block.WarpRow), vLane = values.LaneLeft(w, block.Lane, block.Shared, block.WarpRow);
        string qRight = queries.LaneRight(w, block.Lane, block.Shared), gRight = gradients.LaneRight(w, block.Lane, block.Shared);
        string qLeft = queries.LaneLeft(w, block.Lane, block.Shared), gLeft = gradients.LaneLeft(w, block.Lane, block.Shared);
        string qRightNow = w.U32("q_right"), gRightNow = w.U32("do_right"), qLeftNow = w.U32("q_left"), gLeftNow = w.U32("do_left");
        int scoreCount = kernel.Strips * kernel.Columns / 2;
        string[] scores = w.F32("s", scoreCount), dots = w.F32("dp", scoreCount);
        string[] keySums = w.F32("dk", kernel.Strips * kernel.Dim / 2), valueSums = w.F32("dv", kernel.Strips * kernel.Dim / 2);
        foreach (string sum in keySums.Concat(valueSums)) w.Op($"mov.f32 {sum}, {PtxWriter.Constant(0f)}");

        w.Op($"mov.u32 {member}, 0");
        w.Op($"mov.u32 {query}, {start}");
        w.Op($"mov.u32 {read}, 0");
        w.Op($"mov.u32 {scalarRead}, 0");
        w.Op($"setp.lt.u32 {more}, {start}, {tq}");
        using (w.If(more, "no_queries"))
        {
            Issue(member, query, read, scalarRead);
            using (w.DoWhile(more, "tile"))
            {
                w.Comment("This tile is here, and nobody reads the one before it any more: the next one takes its place.");
                w.Op("cp.async.wait_all");
                w.Op("bar.sync 0");
                w.Op($"add.u32 {nextQuery}, {query}, {kernel.Columns}");
                w.Op($"setp.ge.u32 {wraps}, {nextQuery}, {tq}");
                w.Op($"mov.u32 {nextMember}, {member}");
                w.Op(wraps, $"add.u32 {nextMember}, {member}, 1");
                w.Op(wraps, $"mov.u32 {nextQuery}, {start}");
                w.Op($"setp.lt.u32 {more}, {nextMember}, {group}");
                w.Op($"xor.b32 {write}, {read}, {tileBytes}");
                w.Op($"xor.b32 {scalarWrite}, {scalarRead}, {scalarBytes}");
                using (w.If(more, "last")) Issue(nextMember, nextQuery, write, scalarWrite);

                w.Op($"add.u32 {qRightNow}, {qRight}, {read}");
                w.Op($"add.u32 {gRightNow}, {gRight}, {read}");
                w.Op($"add.u32 {qLeftNow}, {qLeft}, {read}");
                w.Op($"add.u32 {gLeftNow}, {gLeft}, {read}");
                FlashMath.Scores(w, kernel, keys, kLane, queries, qRightNow, scores);
                Mask(w, kernel, block, query, bound, lastBound, scores);
                FlashMath.Scores(w, kernel, values, vLane, gradients, gRightNow, dots);
                ScoreGrad(w, kernel, p, block, scores, dots, scalarRead, scalars);
                FlashMath.WeightedSum(w, kernel, scores, gradients, gLeftNow, valueSums);
                FlashMath.WeightedSum(w, kernel, dots, queries, qLeftNow, keySums);
                w.Op($"mov.u32 {read}, {write}");
                w.Op($"mov.u32 {scalarRead}, {scalarWrite}");
                w.Op($"mov.u32 {member}, {nextMember}");
                w.Op($"mov.u32 {query}, {nextQuery}");
            }
        }

        w.Op("cp.async.wait_all");
        w.Op("bar.sync 0");
        foreach (string sum in keySums) w.Op($"mul.rn.f32 {sum}, {sum}, {p[nameof(FlashParameters.Scale)]}");
        if (kernel.Masked) Clear(w, kernel, p, block, keySums, valueSums);
        string kOut = p[nameof(FlashParameters.DKToken)], vOut = p[nameof(FlashParameters.DVToken)];
        keys.Write(w, block.Lane, block.Shared, block.WarpRow, keySums, kernel.Strips,
            FlashBlock.Row(w, p.Head("DK", block.Batch, block.Head), kOut, block.First), kOut, count);
        values.Write(w, block.Lane, block.Shared, block.WarpRow, valueSums, kernel.Strips,
            FlashBlock.Row(w, p.Head("DV", block.Batch, block.Head), vOut, block.First), vOut, count);
        w.Op("ret");
        return w.ToString();
    }

    // Key n is hidden from the queries before n − (tk − tq).
    private static void Mask(PtxWriter w, FlashKernel kernel, FlashBlock block, string query, string bound, string lastBound, string[] scores)
    {
        string edge = w.Predicate("edge"), origin = w.U32("tile_origin");
        w.Op($"setp.gt.s32 {edge}, {lastBound}, {query}");
        using (w.If(edge, "mask"))
        {
            string[] bounds = w.U32("row_bound", kernel.Strips * 2);
            w.Op($"add.s32 {origin}, {query}, {block.Lane2}");
            w.Op($"sub.s32 {origin}, {bound}, {origin}");
            for (int i = 0; i < bounds.Length; i++) w.Op($"add.s32 {bounds[i]}, {origin}, {i * 8}");
            FlashMath.MaskColumns(w, kernel, scores, bounds, atLeast: false);
        }
    }

    // scores := 2^(scores · factor + shift), dots := scores ∘ (dots − D); shift and D belong to the columns.
    private static void ScoreGrad(PtxWriter w, FlashKernel kernel, FlashFields p, FlashBlock block, string[] scores, string[] dots, string stage, int scalars)
    {
        int columns = kernel.Columns / 8;
        string at = w.U32("scalar_at"), factor = p[nameof(FlashParameters.ScaleLog2)];
        w.Op($"mad.lo.u32 {at}, {block.Lane2}, 4, {block.Shared}");
        w.Op($"add.u32 {at}, {at}, {stage}");
        for (int j = 0; j < columns; j++)
        {
            string[] shift = w.F32("shift", 2), delta = w.F32("delta", 2);
            w.Op($"ld.shared.v2.f32 {PtxWriter.Vector(shift)}, [{at}+{scalars + j * 32}]");
            w.Op($"ld.shared.v2.f32 {PtxWriter.Vector(delta)}, [{at}+{scalars + (kernel.Columns + j * 8) * 4}]");
            for (int i = 0; i < kernel.Strips * 4; i++)
            {
                int n = (i / 4 * columns + j) * 4 + i % 4;
                w.Op($"fma.rn.f32 {scores[n]}, {scores[n]}, {factor}, {shift[i & 1]}");
                w.Op($"ex2.approx.ftz.f32 {scores[n]}, {scores[n]}");
                w.Op($"sub.rn.f32 {dots[n]}, {dots[n]}, {delta[i & 1]}");
                w.Op($"mul.rn.f32 {dots[n]}, {dots[n]}, {scores[n]}");
            }
        }
    }

    // The gradients of masked keys are zero.
    private static void Clear(PtxWriter w, FlashKernel kernel, FlashFields p, FlashBlock block, string[] keySums, string[] valueSums)
    {
        int outputs = kernel.Dim / 8;
        string maskRow = FlashBlock.Row(w, p[nameof(FlashParameters.Mask)], p[nameof(FlashParameters.MaskBatch)], block.Batch), row = w.U32("mask_row");
        w.Op($"shr.u32 {row}, {block.Lane}, 2");
        w.Op($"add.u32 {row}, {row}, {block.WarpRow}");
        w.Op($"add.u32 {row}, {row}, {block.First}");
        for (int i = 0; i < kernel.Strips * 2; i++)
        {
            string number = w.U32("mask_number"), value = w.U32("mask_value"), inside = w.Predicate("mask_in"), dead = w.Predicate("mask_dead");
            w.Op($"add.u32 {number}, {row}, {i * 8}");
            w.Op($"setp.lt.u32 {inside}, {number}, {p[nameof(FlashParameters.Tk)]}");
            string address = FlashBlock.Row(w, maskRow, p[nameof(FlashParameters.MaskKey)], number);
            w.Op($"mov.u32 {value}, 0");
            w.Op(inside, $"ld.global.u8 {value}, [{address}]");
            w.Op($"setp.eq.u32 {dead}, {value}, 0");
            foreach (string[] sums in new[] { keySums, valueSums })
            {
                for (int j = 0; j < outputs; j++)
                {
                    for (int e = 0; e < 2; e++)
                        w.Op(dead, $"mov.f32 {sums[(i / 2 * outputs + j) * 4 + i % 2 * 2 + e]}, {PtxWriter.Constant(0f)}");
                }
            }
        }
    }

    /// <summary>
    /// Copies shift and D of a tile's queries next to each other: of the first two times as many threads as columns, each takes one number.
    /// </summary>
    private sealed class ScalarCopy
    {
        private readonly FlashFields _p;
        private readonly FlashBlock _block;
        private readonly string _column, _base, _to, _active;
        private readonly int _offset;

        public ScalarCopy(PtxWriter w, FlashKernel kernel, FlashFields p, FlashBlock block, int offset)
        {
            (_p, _block, _offset) = (p, block, offset);
            _column = w.U32("scalar_column");
            _to = w.U32("scalar_to");
            _base = w.U64("scalar_base");
            _active = w.Predicate("scalar_active");
            string second = w.Predicate("scalar_second");
            w.Op($"setp.lt.u32 {_active}, {block.Thread}, {2 * kernel.Columns}");
            w.Op($"and.b32 {_column}, {block.Thread}, {kernel.Columns - 1}");
            w.Op($"setp.ge.u32 {second}, {block.Thread}, {kernel.Columns}");
            w.Op($"selp.b64 {_base}, {p[nameof(FlashParameters.Delta)]}, {p[nameof(FlashParameters.Shift)]}, {second}");
            w.Op($"mad.lo.u32 {_to}, {block.Thread}, 4, {block.Shared}");
        }

        public void Copy(PtxWriter w, string head, string query, string stage)
        {
            string row = w.U32("scalar_row"), to = w.U32("scalar_now"), bytes = w.U32("scalar_bytes"), inside = w.Predicate("scalar_in");
            string from = w.U64("scalar_from");
            string tq = _p[nameof(FlashParameters.Tq)];
            w.Op($"add.u32 {row}, {query}, {_column}");
            w.Op($"setp.lt.u32 {inside}, {row}, {tq}");
            w.Op($"selp.b32 {bytes}, 4, 0, {inside}");
            w.Op($"mad.lo.u32 {to}, {_block.Batch}, {_p[nameof(FlashParameters.Heads)]}, {head}");
            w.Op($"mad.lo.u32 {row}, {to}, {tq}, {row}");
            w.Op($"mul.wide.u32 {from}, {row}, 4");
            w.Op($"add.u64 {from}, {from}, {_base}");
            w.Op($"add.u32 {to}, {_to}, {stage}");
            w.Op(_active, $"cp.async.ca.shared.global [{to}+{_offset}], [{from}], 4, {bytes}");
        }
    }
}

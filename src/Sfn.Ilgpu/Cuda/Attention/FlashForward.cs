namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// Attention on tensor cores (Dao 2023, FlashAttention-2, arXiv 2307.08691, algorithm 1): a block keeps its queries and walks over tiles of
/// keys; scores and weights never leave the registers. While the scores are computed the values are on their way, and while the values are
/// summed the next keys are.
/// </summary>
/// <remarks>Powers are of 2: scale · log2 e is one factor. Weights are rounded to bfloat16 for the product, their sum is not.</remarks>
internal static class FlashForward
{
    /// <summary>The text of one kernel.</summary>
    public static string Build(FlashKernel kernel)
    {
        var w = new PtxWriter(kernel.Name, FlashKernel.Threads, kernel.Blocks);
        var p = new FlashFields(w);
        var block = new FlashBlock(w, kernel, p, lastFirst: true);
        block.KeyRange(w, kernel, p, out string end, out string common);
        int rowBytes = kernel.Dim * 2;
        var queries = new FlashTile("q", kernel.Rows, kernel.Dim, 0);
        var keys = new FlashTile("k", kernel.Columns, kernel.Dim, kernel.Rows * rowBytes);
        var values = new FlashTile("v", kernel.Columns, kernel.Dim, (kernel.Rows + kernel.Columns) * rowBytes);
        string kvHead = block.KvHead(w, p), key = w.U32("key"), left = w.U32("left"), more = w.Predicate("more");
        string qStride = p[nameof(FlashParameters.QToken)];
        string k = p.Head("K", block.Batch, kvHead), v = p.Head("V", block.Batch, kvHead);
        string q = FlashBlock.Row(w, p.Head("Q", block.Batch, block.Head), qStride, block.First);
        string maskRow = kernel.Masked ? FlashBlock.Row(w, p[nameof(FlashParameters.Mask)], p[nameof(FlashParameters.MaskBatch)], block.Batch) : "";
        queries.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.QToken)));
        keys.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.KToken)));
        values.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.VToken)));

        queries.Copy(w, queries.Own(w, q), block.Count(w, p[nameof(FlashParameters.Tq)]));
        w.Op($"mov.u32 {key}, 0");
        keys.Copy(w, keys.Own(w, k), p[nameof(FlashParameters.Tk)]);
        w.Op("cp.async.commit_group");
        w.Comment("With 128 columns of output every register counts: addresses wait in shared memory, and what is quickly computed again is.");
        int notes = kernel.SharedBytes - kernel.NoteBytes;
        string writes = w.Predicate("writes_notes");
        w.Op($"setp.eq.u32 {writes}, {block.Thread}, 0");
        w.Op(writes, $"st.shared.b64 [{block.Shared}+{notes}], {k}");
        w.Op(writes, $"st.shared.b64 [{block.Shared}+{notes + 8}], {v}");
        if (kernel.Masked) w.Op(writes, $"st.shared.b64 [{block.Shared}+{notes + 16}], {maskRow}");
        w.Op(writes, $"st.shared.b32 [{block.Shared}+{notes + 24}], {end}");
        w.Op(writes, $"st.shared.b32 [{block.Shared}+{notes + 28}], {common}");

        string nothing = w.U32("nothing");
        string[] scores = w.F32("s", kernel.Strips * kernel.Columns / 2), sums = w.F32("o", kernel.Strips * kernel.Dim / 2);
        string[] tops = w.F32("top", kernel.Strips * 2), totals = w.F32("total", kernel.Strips * 2);
        foreach (string sum in sums) w.Op($"mov.f32 {sum}, {PtxWriter.Constant(0f)}");
        foreach (string total in totals) w.Op($"mov.f32 {total}, {PtxWriter.Constant(0f)}");
        foreach (string top in tops) w.Op($"mov.f32 {top}, {FlashMath.NegativeInfinity}");
        NoteRows(w, kernel, block, tops, totals, store: true);

        string[]? kept = null;
        if (kernel.KeepsQueries)
        {
            w.Op("cp.async.wait_all");
            w.Op("bar.sync 0");
            string qLane = queries.LaneLeft(w, block.Lane, block.Shared, block.WarpRow);
            kept = w.U32("q", kernel.Dim / 16 * kernel.Strips * 4);
            for (int i = 0; i < kept.Length / 4; i++) queries.Load(w, qLane, i % kernel.Strips, i / kernel.Strips * 2, false, kept.AsSpan(i * 4, 4));
        }

        w.Op($"setp.gt.s32 {more}, {end}, 0");
        using (w.If(more, "no_keys"))
        {
            using (w.DoWhile(more, "tile"))
            {
                w.Comment("This tile's keys are here, and nobody reads the last tile's values any more.");
                w.Op("cp.async.wait_all");
                w.Op("bar.sync 0");
                w.Op($"and.b32 {nothing}, {key}, 1");
                block = new FlashBlock(w, kernel, p, lastFirst: true, nothing);
                keys.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.KToken)));
                values.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.VToken)));
                w.Op($"sub.s32 {left}, {p[nameof(FlashParameters.Tk)]}, {key}");
                w.Op($"ld.shared.b64 {v}, [{block.Shared}+{notes + 8}]");
                w.Op($"mad.wide.u32 {v}, {key}, {p.Low(nameof(FlashParameters.VToken))}, {v}");
                values.Copy(w, values.Own(w, v), left);
                w.Op("cp.async.commit_group");
                string qLane = queries.LaneLeft(w, block.Lane, block.Shared, block.WarpRow), kLane = keys.LaneRight(w, block.Lane, block.Shared);
                FlashMath.Scores(w, kernel, queries, qLane, keys, kLane, scores, kept);
                w.Op($"ld.shared.b32 {common}, [{block.Shared}+{notes + 28}]");
                FlashBlock.MaskTile(w, kernel, p, key, common, nothing, scores);
                if (kernel.Masked) w.Op($"ld.shared.b64 {maskRow}, [{block.Shared}+{notes + 16}]");
                if (kernel.Masked) FlashMath.MaskKeys(w, kernel, p, maskRow, key, nothing, scores);

                w.Comment("The values are here, and nobody reads the keys any more.");
                w.Op("cp.async.wait_all");
                w.Op("bar.sync 0");
                w.Op($"add.u32 {key}, {key}, {kernel.Columns}");
                w.Op($"ld.shared.b32 {end}, [{block.Shared}+{notes + 24}]");
                w.Op($"setp.lt.s32 {more}, {key}, {end}");
                using (w.If(more, "last"))
                {
                    w.Op($"sub.s32 {left}, {p[nameof(FlashParameters.Tk)]}, {key}");
                    w.Op($"ld.shared.b64 {k}, [{block.Shared}+{notes}]");
                    w.Op($"mad.wide.u32 {k}, {key}, {p.Low(nameof(FlashParameters.KToken))}, {k}");
                    keys.Copy(w, keys.Own(w, k), left);
                    w.Op("cp.async.commit_group");
                }
                NoteRows(w, kernel, block, tops, totals, store: false);
                var weights = Softmax(w, kernel, p, scores, sums, tops, totals);
                NoteRows(w, kernel, block, tops, totals, store: true, withTotals: false);
                FlashMath.WeightedSum(w, kernel, scores, values, values.LaneLeft(w, block.Lane, block.Shared), sums, weights);
                NoteRows(w, kernel, block, tops, totals, store: true, withTops: false);
            }
        }

        w.Comment("Nobody's copies are on their way: the queries' memory takes the result.");
        w.Op("cp.async.wait_all");
        w.Op("bar.sync 0");
        w.Op($"and.b32 {nothing}, {key}, 1");
        block = new FlashBlock(w, kernel, p, lastFirst: true, nothing);
        NoteRows(w, kernel, block, tops, totals, store: false);
        Finish(w, kernel, p, block, sums, tops, totals);
        string stride = p[nameof(FlashParameters.OToken)], o = FlashBlock.Row(w, p.Head("O", block.Batch, block.Head), stride, block.First);
        queries.Write(w, block.Lane, block.Shared, block.WarpRow, sums, kernel.Strips, o, stride, block.Count(w, p[nameof(FlashParameters.Tq)]));
        w.Op("ret");
        return w.ToString();
    }

    // Scores become weights relative to the new maximum of their row; what was summed before is rescaled to it, unless no maximum of the warp
    // changed, which soon is the rule.
    private static Action<int> Softmax(PtxWriter w, FlashKernel kernel, FlashFields p, string[] scores, string[] sums, string[] tops, string[] totals)
    {
        int columns = kernel.Columns / 8, outputs = kernel.Dim / 8;
        string factor = p[nameof(FlashParameters.ScaleLog2)], changed = w.Predicate("changed"), differs = w.Predicate("differs");
        string[] shifts = w.F32("shift", tops.Length), rescales = w.F32("rescale", tops.Length);
        for (int row = 0; row < tops.Length; row++)
        {
            int first = row / 2 * columns * 4 + row % 2 * 2;
            string top = w.F32("new_top"), other = w.F32("other_top"), none = w.Predicate("none");
            w.Comment($"Row {row * 8} + g. NaN is passed over by max; its weight brings it into the sum.");
            w.Op($"max.f32 {top}, {scores[first]}, {scores[first + 1]}");
            w.Op($"max.f32 {other}, {scores[first + 4]}, {scores[first + 5]}");
            for (int j = 2; j < columns; j++)
            {
                w.Op($"max.f32 {top}, {top}, {scores[first + j * 4]}");
                w.Op($"max.f32 {other}, {other}, {scores[first + j * 4 + 1]}");
            }
            w.Op($"max.f32 {top}, {top}, {other}");
            FlashMath.ReduceQuad(w, top, "max.f32");
            w.Op($"max.f32 {top}, {top}, {tops[row]}");
            // A row that has seen no key yet keeps −∞; subtracting 0 instead gives 2^−∞ = 0 where −∞ − −∞ would give NaN.
            w.Op($"setp.eq.f32 {none}, {top}, {FlashMath.NegativeInfinity}");
            w.Op($"mul.rn.f32 {shifts[row]}, {top}, {factor}");
            w.Op($"neg.f32 {shifts[row]}, {shifts[row]}");
            w.Op(none, $"mov.f32 {shifts[row]}, {PtxWriter.Constant(0f)}");
            w.Op($"fma.rn.f32 {rescales[row]}, {tops[row]}, {factor}, {shifts[row]}");
            w.Op($"ex2.approx.ftz.f32 {rescales[row]}, {rescales[row]}");
            if (row == 0) w.Op($"setp.neu.f32 {changed}, {top}, {tops[row]}");
            else w.Op($"setp.neu.or.f32 {changed}, {top}, {tops[row]}, {changed}");
            w.Op($"mov.f32 {tops[row]}, {top}");
        }
        w.Op($"vote.sync.any.pred {differs}, {changed}, 0xffffffff");
        using (w.If(differs, "unchanged"))
        {
            for (int row = 0; row < totals.Length; row++) w.Op($"mul.rn.f32 {totals[row]}, {totals[row]}, {rescales[row]}");
            for (int i = 0; i < sums.Length; i++)
            {
                int row = i / (outputs * 4) * 2 + (i >> 1 & 1);
                w.Op($"mul.rn.f32 {sums[i]}, {sums[i]}, {rescales[row]}");
            }
        }
        // Weights are computed 16 keys at a time, right before their product: that many fewer registers are in use at once.
        return k =>
        {
            for (int i = 0; i < scores.Length; i++)
            {
                int row = i / (columns * 4) * 2 + (i >> 1 & 1);
                if (i / 4 % columns / 2 != k) continue;
                w.Op($"fma.rn.f32 {scores[i]}, {scores[i]}, {factor}, {shifts[row]}");
                w.Op($"ex2.approx.ftz.f32 {scores[i]}, {scores[i]}");
                w.Op($"add.rn.f32 {totals[row]}, {totals[row]}, {scores[i]}");
            }
        };
    }

    // A thread's maxima and sums to shared memory and back.
    private static void NoteRows(PtxWriter w, FlashKernel kernel, FlashBlock block, string[] tops, string[] totals, bool store,
        bool withTops = true, bool withTotals = true)
    {
        if (!kernel.NotesRows) return;
        string at = w.U32("rows_at");
        w.Op($"mad.lo.u32 {at}, {block.Thread}, 16, {block.Shared}");
        foreach (var (i, numbers) in new[] { tops, totals }.Index())
        {
            if (i == 0 ? !withTops : !withTotals) continue;
            int offset = kernel.SharedBytes - kernel.NoteBytes + 32 + i * FlashKernel.Threads * 16;
            string all = PtxWriter.Vector(numbers);
            w.Op(store ? $"st.shared.v4.f32 [{at}+{offset}], {all}" : $"ld.shared.v4.f32 {all}, [{at}+{offset}]");
        }
    }

    // Divides by the sums of the weights and stores the log-sum-exp.
    private static void Finish(PtxWriter w, FlashKernel kernel, FlashFields p, FlashBlock block, string[] sums, string[] tops, string[] totals)
    {
        int outputs = kernel.Dim / 8;
        string lse = p[nameof(FlashParameters.Lse)], address = w.U64("lse_address"), row = w.U32("lse_row");
        string writes = w.Predicate("lse_writes"), first = w.Predicate("lse_first");
        w.Op($"shr.u32 {row}, {block.Lane}, 2");
        w.Op($"add.u32 {row}, {row}, {block.WarpRow}");
        w.Op($"add.u32 {row}, {row}, {block.First}");
        string index = block.Scalar(w, p, row);
        w.Op($"mul.wide.u32 {address}, {index}, 4");
        w.Op($"add.u64 {address}, {address}, {lse}");
        w.Op($"setp.eq.u32 {first}, {block.Lane2}, 0");
        for (int i = 0; i < kernel.Strips * 2; i++)
        {
            string inverse = w.F32("inverse"), log = w.F32("log"), empty = w.Predicate("empty"), number = w.U32("lse_number");
            FlashMath.ReduceQuad(w, totals[i], "add.rn.f32");
            w.Op($"setp.eq.f32 {empty}, {totals[i]}, {PtxWriter.Constant(0f)}");
            w.Op($"div.rn.f32 {inverse}, {PtxWriter.Constant(1f)}, {totals[i]}");
            w.Op(empty, $"mov.f32 {inverse}, {PtxWriter.Constant(0f)}");
            w.Op($"lg2.approx.f32 {log}, {totals[i]}");
            w.Op($"mul.rn.f32 {log}, {log}, {PtxWriter.Constant(0.693147181f)}");
            w.Op($"fma.rn.f32 {log}, {tops[i]}, {p[nameof(FlashParameters.Scale)]}, {log}");
            w.Op($"add.u32 {number}, {row}, {i * 8}");
            w.Op($"setp.lt.and.u32 {writes}, {number}, {p[nameof(FlashParameters.Tq)]}, {first}");
            w.Op(writes, $"st.global.f32 [{address}+{i * 32}], {log}");
            for (int j = 0; j < outputs; j++)
            {
                for (int e = 0; e < 2; e++)
                {
                    string sum = sums[(i / 2 * outputs + j) * 4 + i % 2 * 2 + e];
                    w.Op($"mul.rn.f32 {sum}, {sum}, {inverse}");
                }
            }
        }
    }
}

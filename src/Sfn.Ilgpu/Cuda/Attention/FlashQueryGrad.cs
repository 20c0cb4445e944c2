namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// dQ on tensor cores: a block keeps its queries and their dO and walks over tiles of keys and values, of which the next is always on its way.
/// With P = 2^(S − lse) and dS = P ∘ (dO Vᵀ − D), dQ = scale · dS K (Dao 2023, algorithm 2).
/// </summary>
internal static class FlashQueryGrad
{
    /// <summary>The text of one kernel.</summary>
    public static string Build(FlashKernel kernel)
    {
        var w = new PtxWriter(kernel.Name, FlashKernel.Threads, kernel.Blocks);
        var p = new FlashFields(w);
        var block = new FlashBlock(w, kernel, p, lastFirst: true);
        block.KeyRange(w, kernel, p, out string end, out string common);
        int rowBytes = kernel.Dim * 2, tileBytes = kernel.Columns * rowBytes;
        var queries = new FlashTile("q", kernel.Rows, kernel.Dim, 0);
        var gradients = new FlashTile("do", kernel.Rows, kernel.Dim, kernel.Rows * rowBytes);
        var keys = new FlashTile("k", kernel.Columns, kernel.Dim, 2 * kernel.Rows * rowBytes);
        var values = new FlashTile("v", kernel.Columns, kernel.Dim, 2 * kernel.Rows * rowBytes + 2 * tileBytes);
        string kvHead = block.KvHead(w, p), key = w.U32("key"), next = w.U32("next"), left = w.U32("left"), more = w.Predicate("more");
        string qStride = p[nameof(FlashParameters.QToken)], gStride = p[nameof(FlashParameters.DOToken)];
        string k = p.Head("K", block.Batch, kvHead), v = p.Head("V", block.Batch, kvHead);
        string q = FlashBlock.Row(w, p.Head("Q", block.Batch, block.Head), qStride, block.First);
        string gradient = FlashBlock.Row(w, p.Head("DO", block.Batch, block.Head), gStride, block.First);
        string maskRow = kernel.Masked ? FlashBlock.Row(w, p[nameof(FlashParameters.Mask)], p[nameof(FlashParameters.MaskBatch)], block.Batch) : "";
        queries.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.QToken)));
        gradients.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.DOToken)));
        keys.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.KToken)));
        values.BeginCopies(w, block.Thread, block.Shared, p.Low(nameof(FlashParameters.VToken)));

        string count = block.Count(w, p[nameof(FlashParameters.Tq)]), nothing = w.U32("nothing"), read = w.U32("read"), write = w.U32("write");
        queries.Copy(w, queries.Own(w, q), count);
        gradients.Copy(w, gradients.Own(w, gradient), count);
        (k, v) = (keys.Own(w, k), values.Own(w, v));
        keys.Copy(w, k, p[nameof(FlashParameters.Tk)]);
        values.Copy(w, v, p[nameof(FlashParameters.Tk)]);
        w.Op("cp.async.commit_group");
        w.Op($"mov.u32 {key}, 0");
        w.Op($"mov.u32 {read}, 0");

        string qLane = queries.LaneLeft(w, block.Lane, block.Shared, block.WarpRow), gLane = gradients.LaneLeft(w, block.Lane, block.Shared, block.WarpRow);
        string kRight = keys.LaneRight(w, block.Lane, block.Shared), vRight = values.LaneRight(w, block.Lane, block.Shared);
        string kLeft = keys.LaneLeft(w, block.Lane, block.Shared), kRightNow = w.U32("k_right"), vRightNow = w.U32("v_right"), kLeftNow = w.U32("k_left");
        int scoreCount = kernel.Strips * kernel.Columns / 2;
        string[] scores = w.F32("s", scoreCount), dots = w.F32("dp", scoreCount), sums = w.F32("dq", kernel.Strips * kernel.Dim / 2);
        foreach (string sum in sums) w.Op($"mov.f32 {sum}, {PtxWriter.Constant(0f)}");
        var (shifts, deltas) = Scalars(w, kernel, p, block);

        w.Op($"setp.gt.s32 {more}, {end}, 0");
        using (w.If(more, "no_keys"))
        {
            using (w.DoWhile(more, "tile"))
            {
                w.Comment("This tile is here, and nobody reads the one before it any more: the next one takes its place.");
                w.Op("cp.async.wait_all");
                w.Op("bar.sync 0");
                w.Op($"add.u32 {next}, {key}, {kernel.Columns}");
                w.Op($"setp.lt.s32 {more}, {next}, {end}");
                w.Op($"xor.b32 {write}, {read}, {tileBytes}");
                using (w.If(more, "last"))
                {
                    w.Op($"sub.s32 {left}, {p[nameof(FlashParameters.Tk)]}, {next}");
                    keys.Advance(w, k);
                    values.Advance(w, v);
                    keys.Copy(w, k, left, write);
                    values.Copy(w, v, left, write);
                    w.Op("cp.async.commit_group");
                }
                w.Op($"and.b32 {nothing}, {key}, 1");
                w.Op($"add.u32 {kRightNow}, {kRight}, {read}");
                w.Op($"add.u32 {vRightNow}, {vRight}, {read}");
                w.Op($"add.u32 {kLeftNow}, {kLeft}, {read}");
                FlashMath.Scores(w, kernel, queries, qLane, keys, kRightNow, scores);
                FlashBlock.MaskTile(w, kernel, p, key, common, nothing, scores);
                if (kernel.Masked) FlashMath.MaskKeys(w, kernel, p, maskRow, key, nothing, scores);
                FlashMath.Scores(w, kernel, gradients, gLane, values, vRightNow, dots);
                ScoreGrad(w, kernel, p, scores, dots, shifts, deltas);
                FlashMath.WeightedSum(w, kernel, dots, keys, kLeftNow, sums);
                w.Op($"mov.u32 {read}, {write}");
                w.Op($"mov.u32 {key}, {next}");
            }
        }

        w.Op("cp.async.wait_all");
        w.Op("bar.sync 0");
        w.Op($"and.b32 {nothing}, {key}, 1");
        block = new FlashBlock(w, kernel, p, lastFirst: true, nothing);
        foreach (string sum in sums) w.Op($"mul.rn.f32 {sum}, {sum}, {p[nameof(FlashParameters.Scale)]}");
        string stride = p[nameof(FlashParameters.DQToken)], dq = FlashBlock.Row(w, p.Head("DQ", block.Batch, block.Head), stride, block.First);
        queries.Write(w, block.Lane, block.Shared, block.WarpRow, sums, kernel.Strips, dq, stride, block.Count(w, p[nameof(FlashParameters.Tq)]));
        w.Op("ret");
        return w.ToString();
    }

    // Shift and D of the lane's rows. Rows behind the last one have no weight.
    private static (string[] Shifts, string[] Deltas) Scalars(PtxWriter w, FlashKernel kernel, FlashFields p, FlashBlock block)
    {
        string[] shifts = w.F32("shift", kernel.Strips * 2), deltas = w.F32("delta", kernel.Strips * 2);
        string row = w.U32("scalar_row"), offset = w.U64("scalar_offset"), from = w.U64("scalar_from"), delta = w.U64("delta_from");
        w.Op($"shr.u32 {row}, {block.Lane}, 2");
        w.Op($"add.u32 {row}, {row}, {block.WarpRow}");
        w.Op($"add.u32 {row}, {row}, {block.First}");
        string index = block.Scalar(w, p, row);
        w.Op($"mul.wide.u32 {offset}, {index}, 4");
        w.Op($"add.u64 {from}, {offset}, {p[nameof(FlashParameters.Shift)]}");
        w.Op($"add.u64 {delta}, {offset}, {p[nameof(FlashParameters.Delta)]}");
        for (int i = 0; i < shifts.Length; i++)
        {
            string number = w.U32("scalar_number"), inside = w.Predicate("scalar_in");
            w.Op($"add.u32 {number}, {row}, {i * 8}");
            w.Op($"setp.lt.u32 {inside}, {number}, {p[nameof(FlashParameters.Tq)]}");
            w.Op($"mov.f32 {shifts[i]}, {FlashMath.NegativeInfinity}");
            w.Op($"mov.f32 {deltas[i]}, {PtxWriter.Constant(0f)}");
            w.Op(inside, $"ld.global.f32 {shifts[i]}, [{from}+{i * 32}]");
            w.Op(inside, $"ld.global.f32 {deltas[i]}, [{delta}+{i * 32}]");
        }
        return (shifts, deltas);
    }

    // dots := 2^(scores · factor + shift) ∘ (dots − D)
    private static void ScoreGrad(PtxWriter w, FlashKernel kernel, FlashFields p, string[] scores, string[] dots, string[] shifts, string[] deltas)
    {
        int columns = kernel.Columns / 8;
        string factor = p[nameof(FlashParameters.ScaleLog2)];
        for (int i = 0; i < scores.Length; i++)
        {
            int row = i / (columns * 4) * 2 + (i >> 1 & 1);
            w.Op($"fma.rn.f32 {scores[i]}, {scores[i]}, {factor}, {shifts[row]}");
            w.Op($"ex2.approx.ftz.f32 {scores[i]}, {scores[i]}");
            w.Op($"sub.rn.f32 {dots[i]}, {dots[i]}, {deltas[row]}");
            w.Op($"mul.rn.f32 {dots[i]}, {dots[i]}, {scores[i]}");
        }
    }
}

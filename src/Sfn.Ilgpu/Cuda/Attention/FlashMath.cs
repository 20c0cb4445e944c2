namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>The products and the masks of attention kernels. Sums of 16 rows by 8 columns lie in four registers per lane: lane (g, t) holds
/// columns 2t and 2t + 1 of rows g and g + 8.</summary>
internal static class FlashMath
{
    /// <summary>−∞ as PTX.</summary>
    public static readonly string NegativeInfinity = PtxWriter.Constant(float.NegativeInfinity);

    /// <summary>
    /// sums[strip, column/8, 4] := left · rightᵀ over the head dimension. <paramref name="kept"/> are the left fragments [dim/16, strip, 4] if they
    /// are in registers already.
    /// </summary>
    public static void Scores(PtxWriter w, FlashKernel kernel, FlashTile left, string leftLane, FlashTile right, string rightLane, string[] sums,
        string[]? kept = null)
    {
        string zero = w.F32("zero");
        w.Op($"mov.f32 {zero}, {PtxWriter.Constant(0f)}");
        int strips = kernel.Strips, columns = kernel.Columns / 8;
        for (int k = 0; k < kernel.Dim / 16; k++)
        {
            string[] a;
            if (kept is not null) a = kept[(k * strips * 4)..((k + 1) * strips * 4)];
            else
            {
                a = w.U32("a", strips * 4);
                for (int r = 0; r < strips; r++) left.Load(w, leftLane, r, 2 * k, false, a.AsSpan(r * 4, 4));
            }
            for (int j = 0; j < columns; j += 2)
            {
                string[] b = w.U32("b", 4);
                right.Load(w, rightLane, j / 2, 2 * k, false, b);
                for (int r = 0; r < strips; r++)
                {
                    Multiply(w, sums.AsSpan((r * columns + j) * 4, 4), a.AsSpan(r * 4, 4), b[0], b[1], k == 0 ? zero : null);
                    Multiply(w, sums.AsSpan((r * columns + j + 1) * 4, 4), a.AsSpan(r * 4, 4), b[2], b[3], k == 0 ? zero : null);
                }
            }
        }
    }

    /// <summary>
    /// sums[strip, dim/8, 4] += weights[strip, column/8, 4] · right: the sums of one product, two tiles of 8 columns side by side, are the left
    /// fragments of the next as they lie. <paramref name="prepare"/> is called before columns 16k to 16k + 15 are used.
    /// </summary>
    public static void WeightedSum(PtxWriter w, FlashKernel kernel, string[] weights, FlashTile right, string rightLane, string[] sums,
        Action<int>? prepare = null)
    {
        int strips = kernel.Strips, columns = kernel.Columns / 8, outputs = kernel.Dim / 8;
        for (int k = 0; k < kernel.Columns / 16; k++)
        {
            prepare?.Invoke(k);
            string[] a = w.U32("w", strips * 4);
            for (int r = 0; r < strips; r++)
            {
                for (int i = 0; i < 4; i++)
                {
                    int from = (r * columns + 2 * k) * 4 + i * 2;
                    w.Op($"cvt.rn.bf16x2.f32 {a[r * 4 + i]}, {weights[from + 1]}, {weights[from]}");
                }
            }
            for (int j = 0; j < outputs; j += 2)
            {
                string[] b = w.U32("b", 4);
                right.Load(w, rightLane, k, j, true, b);
                for (int r = 0; r < strips; r++)
                {
                    Multiply(w, sums.AsSpan((r * outputs + j) * 4, 4), a.AsSpan(r * 4, 4), b[0], b[1], null);
                    Multiply(w, sums.AsSpan((r * outputs + j + 1) * 4, 4), a.AsSpan(r * 4, 4), b[2], b[3], null);
                }
            }
        }
    }

    /// <summary>
    /// Scores of columns that a row does not see become −∞: with <paramref name="atLeast"/> columns from the row's bound on, else those before it.
    /// bounds[strip · 2 + half] are relative to the tile and to the lane's first column.
    /// </summary>
    public static void MaskColumns(PtxWriter w, FlashKernel kernel, string[] scores, string[] bounds, bool atLeast)
    {
        int columns = kernel.Columns / 8;
        for (int i = 0; i < scores.Length; i++)
        {
            int strip = i / (columns * 4), column = i / 4 % columns * 8 + (i & 1), half = i >> 1 & 1;
            string hidden = w.Predicate("hidden");
            w.Op($"setp.{(atLeast ? "le" : "gt")}.s32 {hidden}, {bounds[strip * 2 + half]}, {column}");
            w.Op(hidden, $"mov.f32 {scores[i]}, {NegativeInfinity}");
        }
    }

    /// <summary>
    /// Scores of keys that do not exist become −∞. Each lane reads the mask of one key per 32, a vote makes a word of them for all lanes.
    /// </summary>
    /// <param name="w">Writer.</param>
    /// <param name="kernel">Kernel, whose columns are keys.</param>
    /// <param name="p">Parameters.</param>
    /// <param name="maskRow">Address of the batch element's mask.</param>
    /// <param name="key">First key of the tile.</param>
    /// <param name="nothing">A register that is 0 at run time.</param>
    /// <param name="scores">Scores [strip, column/8, 4].</param>
    public static void MaskKeys(PtxWriter w, FlashKernel kernel, FlashFields p, string maskRow, string key, string nothing, string[] scores)
    {
        int columns = kernel.Columns / 8;
        var words = new string[kernel.Columns / 32];
        string lane = w.U32("mask_lane"), lane2 = w.U32("mask_lane2");
        w.Op($"mov.u32 {lane}, %tid.x");
        w.Op($"add.u32 {lane}, {lane}, {nothing}");
        w.Op($"and.b32 {lane2}, {lane}, 3");
        w.Op($"shl.b32 {lane2}, {lane2}, 1");
        w.Op($"and.b32 {lane}, {lane}, 31");
        for (int i = 0; i < words.Length; i++)
        {
            string number = w.U32("mask_key"), value = w.U32("mask_value"), index = w.U64("mask_index");
            string inside = w.Predicate("mask_in"), exists = w.Predicate("mask_on");
            words[i] = w.U32("mask_word");
            w.Op($"add.u32 {number}, {key}, {lane}");
            if (i > 0) w.Op($"add.u32 {number}, {number}, {i * 32}");
            w.Op($"setp.lt.u32 {inside}, {number}, {p[nameof(FlashParameters.Tk)]}");
            w.Op($"cvt.u64.u32 {index}, {number}");
            w.Op($"mad.lo.u64 {index}, {index}, {p[nameof(FlashParameters.MaskKey)]}, {maskRow}");
            w.Op($"mov.u32 {value}, 0");
            w.Op(inside, $"ld.global.u8 {value}, [{index}]");
            w.Op($"setp.ne.u32 {exists}, {value}, 0");
            w.Op($"vote.sync.ballot.b32 {words[i]}, {exists}, 0xffffffff");
            w.Op($"shr.u32 {words[i]}, {words[i]}, {lane2}");
        }
        string bit = w.U32("mask_bit");
        for (int c = 0; c < kernel.Columns; c++)
        {
            if ((c & 7) > 1) continue;
            string hidden = w.Predicate("masked");
            w.Op($"and.b32 {bit}, {words[c / 32]}, {1u << (c & 31)}");
            w.Op($"setp.eq.u32 {hidden}, {bit}, 0");
            for (int r = 0; r < kernel.Strips; r++)
            {
                for (int half = 0; half < 2; half++)
                    w.Op(hidden, $"mov.f32 {scores[(r * columns + c / 8) * 4 + half * 2 + (c & 1)]}, {NegativeInfinity}");
            }
        }
    }

    /// <summary>Combines a value over the four lanes that share a row.</summary>
    public static void ReduceQuad(PtxWriter w, string value, string instruction)
    {
        string other = w.F32("other");
        foreach (int distance in new[] { 1, 2 })
        {
            w.Op($"shfl.sync.bfly.b32 {other}, {value}, {distance}, 31, 0xffffffff");
            w.Op($"{instruction} {value}, {value}, {other}");
        }
    }

    private static void Multiply(PtxWriter w, ReadOnlySpan<string> sum, ReadOnlySpan<string> a, string b0, string b1, string? zero)
    {
        string to = PtxWriter.Vector(sum), from = zero is null ? to : PtxWriter.Vector(zero, zero, zero, zero);
        w.Op($"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {to}, {PtxWriter.Vector(a)}, {PtxWriter.Vector(b0, b1)}, {from}");
    }
}

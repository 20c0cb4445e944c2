namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// What happens to a tile of sums on its way to C: + old C, + bias, activation, + residual, rounding. Each thread keeps its columns and
/// walks down the rows, so that a warp writes whole sectors. Two forms: four neighbouring columns per thread (16-byte accesses), or one
/// column per thread for any strides.
/// </summary>
internal sealed class GemmEpilogue(PtxWriter w, GemmFields p, TileOrder at, int tileM, int tileN, int threads)
{
    private readonly string _bias = p[nameof(GemmParameters.Bias)];
    private readonly string _residual = p[nameof(GemmParameters.Residual)];

    /// <summary>Sums from shared memory, float32 rows of <paramref name="pitch"/> bytes.</summary>
    public void FromShared(string shared, int pitch)
    {
        string from = w.U32("staged");
        Both((row, column, width) =>
        {
            w.Op($"mad.lo.u32 {from}, {row}, {pitch}, {shared}");
            w.Op($"mad.lo.u32 {from}, {column}, 4, {from}");
        },
        (values, rows, step) =>
        {
            for (int u = 0; u < values.Length; u++)
            {
                string address = $"[{from}+{u * step * pitch}]";
                w.Op(values[u].Length == 4 ? $"ld.shared.v4.f32 {PtxWriter.Vector(values[u])}, {address}" : $"ld.shared.f32 {values[u][0]}, {address}");
            }
            w.Op($"add.u32 {from}, {from}, {values.Length * step * pitch}");
        });
    }

    /// <summary>Sums of the splits' partial sums, added in the order of the splits.</summary>
    public void FromWorkspace()
    {
        string from = w.U64("partial"), walk = w.U64("partial_walk"), rowStride = p[nameof(GemmParameters.WorkspaceRow)];
        string splitStride = p[nameof(GemmParameters.SplitStride)], splits = p[nameof(GemmParameters.Splits)];
        string origin = p[nameof(GemmParameters.Workspace)], batchStride = p[nameof(GemmParameters.WorkspaceBatch)];
        string left = w.U32("splits_left"), more = w.Predicate("more_splits");
        Both((row, column, width) =>
        {
            string t = w.U32("partial_t"), t64 = w.U64("partial_t64");
            w.Op($"cvt.u64.u32 {t64}, {at.Batch}");
            w.Op($"mad.lo.u64 {from}, {t64}, {batchStride}, {origin}");
            w.Op($"add.u32 {t}, {at.M0}, {row}");
            w.Op($"cvt.u64.u32 {t64}, {t}");
            w.Op($"mad.lo.u64 {from}, {t64}, {rowStride}, {from}");
            w.Op($"add.u32 {t}, {at.N0}, {column}");
            w.Op($"mul.wide.u32 {t64}, {t}, 4");
            w.Op($"add.u64 {from}, {from}, {t64}");
        },
        (values, rows, step) =>
        {
            string address = w.U64("partial_at"), next = w.U64("partial_next"), stepStride = w.U64("partial_step");
            string[] part = w.F32("part", values[0].Length);
            foreach (string value in values.SelectMany(v => v)) w.Op($"mov.f32 {value}, {PtxWriter.Constant(0f)}");
            w.Op($"mul.lo.u64 {stepStride}, {rowStride}, {step}");
            w.Op($"mov.u64 {walk}, {from}");
            w.Op($"mov.u32 {left}, {splits}");
            using (w.DoWhile(more, "splits"))
            {
                w.Op($"mov.u64 {address}, {walk}");
                for (int u = 0; u < values.Length; u++)
                {
                    // A row beyond the edge adds nothing.
                    foreach (string value in part) w.Op($"mov.f32 {value}, {PtxWriter.Constant(0f)}");
                    w.Op(rows[u], part.Length == 4 ? $"ld.global.v4.f32 {PtxWriter.Vector(part)}, [{address}]" : $"ld.global.f32 {part[0]}, [{address}]");
                    for (int i = 0; i < part.Length; i++) w.Op($"add.rn.f32 {values[u][i]}, {values[u][i]}, {part[i]}");
                    w.Op($"add.u64 {address}, {address}, {stepStride}");
                }
                w.Op($"add.u64 {walk}, {walk}, {splitStride}");
                w.Op($"sub.u32 {left}, {left}, 1");
                w.Op($"setp.ne.u32 {more}, {left}, 0");
            }
            w.Op($"mul.lo.u64 {next}, {stepStride}, {values.Length}");
            w.Op($"add.u64 {from}, {from}, {next}");
        });
    }

    private void Both(Action<string, string, int> begin, Action<string[][], string[], int> load)
    {
        string vector = p.Test(w, "vector", GemmFlags.Vector);
        using (w.If(vector, "single_columns")) Form(4, begin, load);
        Form(1, begin, load);
    }

    // One form of the epilogue, to the kernel's end.
    private void Form(int width, Action<string, string, int> begin, Action<string[][], string[], int> load)
    {
        // Several rows in flight per thread, whose loads overlap.
        int perRow = tileN / width, step = threads / perRow, unroll = Math.Min(4, tileM / step);
        w.Comment(width == 4 ? "Epilogue, four columns per thread." : "Epilogue, one column per thread.");
        string row = w.U32("row"), column = w.U32("column"), m = w.U32("global_row"), n = w.U32("global_column");
        w.Op($"div.u32 {row}, {at.Thread}, {perRow}");
        w.Op($"rem.u32 {column}, {at.Thread}, {perRow}");
        if (width > 1) w.Op($"mul.lo.u32 {column}, {column}, {width}");
        w.Op($"add.u32 {m}, {at.M0}, {row}");
        w.Op($"add.u32 {n}, {at.N0}, {column}");
        string beyond = w.Predicate("beyond"), left = w.U32("rows_left");
        w.Op($"setp.ge.u32 {beyond}, {n}, {at.N}");
        w.Op(beyond, "ret");
        w.Op($"sub.s32 {left}, {at.M}, {m}");
        begin(row, column, width);

        var c = new GemmRows(w, p, at, "c", nameof(GemmParameters.C), GemmFlags.CBFloat16, nameof(GemmParameters.C0), nameof(GemmParameters.C1),
            nameof(GemmParameters.RowC), nameof(GemmParameters.ColumnC), m, n, step);
        c.AddSplit();
        var residual = new GemmRows(w, p, at, "residual", nameof(GemmParameters.Residual), GemmFlags.ResidualBFloat16, nameof(GemmParameters.Residual0),
            nameof(GemmParameters.Residual1), nameof(GemmParameters.RowResidual), nameof(GemmParameters.ColumnResidual), m, n, step);
        string[] bias = Bias(width, n);

        string[][] values = new string[unroll][];
        for (int u = 0; u < unroll; u++) values[u] = w.F32($"value{u}_", width);
        string[] rows = w.Predicate("row_in", unroll);
        string accumulate = p.Test(w, "accumulate", GemmFlags.Accumulate), hasResidual = NotNull("has_residual", _residual);
        string gelu = p.Test(w, "gelu", GemmFlags.Gelu), silu = p.Test(w, "silu", GemmFlags.Silu), relu = p.Test(w, "relu", GemmFlags.Relu);
        string count = w.U32("steps_left"), more = w.Predicate("more_rows");
        int steps = tileM / (step * unroll);
        if (steps > 1) w.Op($"mov.u32 {count}, {steps}");
        string start = w.Label("rows");
        if (steps > 1) w.Mark(start);
        for (int u = 0; u < unroll; u++) w.Op($"setp.gt.s32 {rows[u]}, {left}, {u * step}");
        load(values, rows, step);
        using (w.If(accumulate)) c.AddTo(values, rows);
        foreach (var value in values)
            for (int i = 0; i < width; i++) w.Op($"add.rn.f32 {value[i]}, {value[i]}, {bias[i]}");
        using (w.If(gelu)) foreach (string value in values.SelectMany(v => v)) PtxMath.Gelu(w, value);
        using (w.If(silu)) foreach (string value in values.SelectMany(v => v)) PtxMath.Silu(w, value);
        using (w.If(relu)) foreach (string value in values.SelectMany(v => v)) PtxMath.Relu(w, value);
        using (w.If(hasResidual)) residual.AddTo(values, rows);
        c.Store(values, rows);
        if (steps > 1)
        {
            c.Advance(unroll);
            residual.Advance(unroll);
            w.Op($"sub.s32 {left}, {left}, {step * unroll}");
            w.Op($"sub.u32 {count}, {count}, 1");
            w.Op($"setp.ne.u32 {more}, {count}, 0");
            // Rows only get further out.
            w.Op(more, $"setp.gt.s32 {more}, {left}, 0");
            w.Branch(start, more);
        }
        w.Op("ret");
    }

    private string[] Bias(int width, string n)
    {
        string[] bias = w.F32("bias", width);
        foreach (string value in bias) w.Op($"mov.f32 {value}, {PtxWriter.Constant(0f)}");
        string has = NotNull("has_bias", _bias);
        string address = p.Address(w, "bias", at, nameof(GemmParameters.Bias), nameof(GemmParameters.Bias0), nameof(GemmParameters.Bias1));
        string column = w.U64("bias_column"), half = p.Test(w, "bias_bf16", GemmFlags.BiasBFloat16);
        w.Op($"cvt.u64.u32 {column}, {n}");
        w.Op($"mad.lo.u64 {address}, {column}, {p[nameof(GemmParameters.ColumnBias)]}, {address}");
        using (w.If(has)) Load(bias, address, half);
        return bias;
    }

    // 4 or 1 elements of either type into floats.
    private void Load(string[] into, string address, string half)
    {
        using (w.If("!" + half, "bf16"))
            w.Op(into.Length == 4 ? $"ld.global.v4.f32 {PtxWriter.Vector(into)}, [{address}]" : $"ld.global.f32 {into[0]}, [{address}]");
        using (w.If(half, "f32"))
        {
            string[] bits = w.U32("bits", Math.Max(1, into.Length / 2));
            w.Op(into.Length == 4 ? $"ld.global.v2.b32 {PtxWriter.Vector(bits)}, [{address}]" : $"ld.global.u16 {bits[0]}, [{address}]");
            for (int i = 0; i < into.Length; i++) GemmRows.Widen(w, into[i], bits, i);
        }
    }

    private string NotNull(string name, string address)
    {
        string predicate = w.Predicate(name);
        w.Op($"setp.ne.u64 {predicate}, {address}, 0");
        return predicate;
    }
}

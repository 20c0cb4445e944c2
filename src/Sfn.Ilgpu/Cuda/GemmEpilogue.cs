namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// What happens to a tile of sums on its way to C: + old C, + bias, activation, + residual, rounding. Each thread keeps its columns and
/// walks down the rows, so that a warp writes whole sectors. Two forms: four neighbouring columns per thread (16-byte accesses), or one
/// column per thread for any strides.
/// </summary>
internal sealed class GemmEpilogue(PtxWriter w, GemmFields p, TileOrder at, int tileM, int tileN, int threads)
{
    // Rows in flight per thread: their loads overlap.
    private const int Unroll = 4;

    private readonly string _flags = p[nameof(GemmParameters.Flags)];
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
            for (int u = 0; u < Unroll; u++)
            {
                string address = $"[{from}+{u * step * pitch}]";
                w.Op(values[u].Length == 4 ? $"ld.shared.v4.f32 {PtxWriter.Vector(values[u])}, {address}" : $"ld.shared.f32 {values[u][0]}, {address}");
            }
            w.Op($"add.u32 {from}, {from}, {Unroll * step * pitch}");
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
                for (int u = 0; u < Unroll; u++)
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
            w.Op($"mul.lo.u64 {next}, {stepStride}, {Unroll}");
            w.Op($"add.u64 {from}, {from}, {next}");
        });
    }

    private void Both(Action<string, string, int> begin, Action<string[][], string[], int> load)
    {
        string vector = Test("vector", GemmFlags.Vector);
        using (w.If(vector, "single_columns")) Form(4, begin, load);
        Form(1, begin, load);
    }

    // One form of the epilogue, to the kernel's end.
    private void Form(int width, Action<string, string, int> begin, Action<string[][], string[], int> load)
    {
        int perRow = tileN / width, step = threads / perRow;
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

        var c = new Strided(this, "c", at, nameof(GemmParameters.C), GemmFlags.CBFloat16, nameof(GemmParameters.C0), nameof(GemmParameters.C1),
            nameof(GemmParameters.RowC), nameof(GemmParameters.ColumnC), m, n, step);
        c.AddSplit();
        var residual = new Strided(this, "residual", at, nameof(GemmParameters.Residual), GemmFlags.ResidualBFloat16, nameof(GemmParameters.Residual0),
            nameof(GemmParameters.Residual1), nameof(GemmParameters.RowResidual), nameof(GemmParameters.ColumnResidual), m, n, step);
        string[] bias = Bias(width, n);

        string[][] values = new string[Unroll][];
        for (int u = 0; u < Unroll; u++) values[u] = w.F32($"value{u}_", width);
        string[] rows = w.Predicate("row_in", Unroll);
        string accumulate = Test("accumulate", GemmFlags.Accumulate), hasResidual = NotNull("has_residual", _residual);
        string gelu = Test("gelu", GemmFlags.Gelu), silu = Test("silu", GemmFlags.Silu), relu = Test("relu", GemmFlags.Relu);
        string count = w.U32("steps_left"), more = w.Predicate("more_rows");
        int steps = (tileM + step * Unroll - 1) / (step * Unroll);
        if (steps > 1) w.Op($"mov.u32 {count}, {steps}");
        string start = w.Label("rows");
        if (steps > 1) w.Mark(start);
        for (int u = 0; u < Unroll; u++) w.Op($"setp.gt.s32 {rows[u]}, {left}, {u * step}");
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
            c.Advance();
            residual.Advance();
            w.Op($"sub.s32 {left}, {left}, {step * Unroll}");
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
        string has = NotNull("has_bias", _bias), address = p.Address(w, "bias", at, nameof(GemmParameters.Bias), nameof(GemmParameters.Bias0), nameof(GemmParameters.Bias1));
        string column = w.U64("bias_column"), half = Test("bias_bf16", GemmFlags.BiasBFloat16);
        w.Op($"cvt.u64.u32 {column}, {n}");
        w.Op($"mad.lo.u64 {address}, {column}, {p[nameof(GemmParameters.ColumnBias)]}, {address}");
        using (w.If(has)) Load(bias, address, half, null);
        return bias;
    }

    // 4 or 1 elements of either type into floats.
    private void Load(string[] into, string address, string half, string? predicate)
    {
        void Op(string text)
        {
            if (predicate is null) w.Op(text);
            else w.Op(predicate, text);
        }
        using (w.If("!" + half, "bf16")) Op(into.Length == 4 ? $"ld.global.v4.f32 {PtxWriter.Vector(into)}, [{address}]" : $"ld.global.f32 {into[0]}, [{address}]");
        using (w.If(half, "f32"))
        {
            if (into.Length == 1)
            {
                string bits = w.U32("bits");
                Op($"ld.global.u16 {bits}, [{address}]");
                Op($"shl.b32 {into[0]}, {bits}, 16");
                return;
            }
            string low = w.U32("low"), high = w.U32("high");
            Op($"ld.global.v2.b32 {PtxWriter.Vector(low, high)}, [{address}]");
            Op($"shl.b32 {into[0]}, {low}, 16");
            Op($"and.b32 {into[1]}, {low}, 0xffff0000");
            Op($"shl.b32 {into[2]}, {high}, 16");
            Op($"and.b32 {into[3]}, {high}, 0xffff0000");
        }
    }

    private string Test(string name, GemmFlags flag)
    {
        string predicate = w.Predicate(name), bit = w.U32(name + "_bit");
        w.Op($"and.b32 {bit}, {_flags}, {(uint)flag}");
        w.Op($"setp.ne.u32 {predicate}, {bit}, 0");
        return predicate;
    }

    private string NotNull(string name, string address)
    {
        string predicate = w.Predicate(name);
        w.Op($"setp.ne.u64 {predicate}, {address}, 0");
        return predicate;
    }

    // C or the residual: the addresses of this thread's rows.
    private sealed class Strided
    {
        private readonly GemmEpilogue _owner;
        private readonly PtxWriter _w;
        private readonly string _name, _address, _step, _walk, _half;

        public Strided(GemmEpilogue owner, string name, TileOrder at, string origin, GemmFlags half, string stride0, string stride1, string rowStride,
            string columnStride, string m, string n, int step)
        {
            (_owner, _w, _name) = (owner, owner.Writer, name);
            var p = owner.Fields;
            _address = p.Address(_w, name, at, origin, stride0, stride1);
            string index = _w.U64(name + "_index");
            _step = _w.U64(name + "_step");
            _walk = _w.U64(name + "_walk");
            _w.Op($"cvt.u64.u32 {index}, {m}");
            _w.Op($"mad.lo.u64 {_address}, {index}, {p[rowStride]}, {_address}");
            _w.Op($"cvt.u64.u32 {index}, {n}");
            _w.Op($"mad.lo.u64 {_address}, {index}, {p[columnStride]}, {_address}");
            _w.Op($"mul.lo.u64 {_step}, {p[rowStride]}, {step}");
            _half = owner.Test(name + "_bf16", half);
        }

        // A split writes its own part of the workspace, which takes C's place.
        public void AddSplit()
        {
            string split = _w.U64("split64");
            _w.Op($"cvt.u64.u32 {split}, {_owner.Order.Split}");
            _w.Op($"mad.lo.u64 {_address}, {split}, {_owner.Fields[nameof(GemmParameters.SplitStride)]}, {_address}");
        }

        public void AddTo(string[][] values, string[] rows)
        {
            int width = values[0].Length;
            string[][] old = new string[values.Length][];
            _w.Op($"mov.u64 {_walk}, {_address}");
            using (_w.If("!" + _half, _name + "_bf16"))
            {
                for (int u = 0; u < values.Length; u++)
                {
                    old[u] = _w.F32($"{_name}_old{u}_", width);
                    foreach (string value in old[u]) _w.Op($"mov.f32 {value}, {PtxWriter.Constant(0f)}");
                    _w.Op(rows[u], width == 4 ? $"ld.global.v4.f32 {PtxWriter.Vector(old[u])}, [{_walk}]" : $"ld.global.f32 {old[u][0]}, [{_walk}]");
                    if (u + 1 < values.Length) _w.Op($"add.u64 {_walk}, {_walk}, {_step}");
                }
                for (int u = 0; u < values.Length; u++)
                    for (int i = 0; i < width; i++) _w.Op($"add.rn.f32 {values[u][i]}, {values[u][i]}, {old[u][i]}");
            }
            using (_w.If(_half, _name + "_f32"))
            {
                int words = Math.Max(1, width / 2);
                string[][] bits = new string[values.Length][];
                for (int u = 0; u < values.Length; u++)
                {
                    bits[u] = _w.U32($"{_name}_bits{u}_", words);
                    foreach (string word in bits[u]) _w.Op($"mov.u32 {word}, 0");
                    _w.Op(rows[u], width == 4 ? $"ld.global.v2.b32 {PtxWriter.Vector(bits[u])}, [{_walk}]" : $"ld.global.u16 {bits[u][0]}, [{_walk}]");
                    if (u + 1 < values.Length) _w.Op($"add.u64 {_walk}, {_walk}, {_step}");
                }
                string wide = _w.F32(_name + "_wide");
                for (int u = 0; u < values.Length; u++)
                {
                    for (int i = 0; i < width; i++)
                    {
                        _w.Op(i % 2 == 0 ? $"shl.b32 {wide}, {bits[u][i / 2]}, 16" : $"and.b32 {wide}, {bits[u][i / 2]}, 0xffff0000");
                        _w.Op($"add.rn.f32 {values[u][i]}, {values[u][i]}, {wide}");
                    }
                }
            }
        }

        public void Store(string[][] values, string[] rows)
        {
            int width = values[0].Length;
            _w.Op($"mov.u64 {_walk}, {_address}");
            using (_w.If("!" + _half, "store_bf16"))
            {
                for (int u = 0; u < values.Length; u++)
                {
                    _w.Op(rows[u], width == 4 ? $"st.global.v4.f32 [{_walk}], {PtxWriter.Vector(values[u])}" : $"st.global.f32 [{_walk}], {values[u][0]}");
                    if (u + 1 < values.Length) _w.Op($"add.u64 {_walk}, {_walk}, {_step}");
                }
            }
            using (_w.If(_half, "store_f32"))
            {
                string low = _w.U32(_name + "_low"), high = _w.U32(_name + "_high"), zero = _w.F32(_name + "_zero");
                if (width == 1) _w.Op($"mov.f32 {zero}, {PtxWriter.Constant(0f)}");
                for (int u = 0; u < values.Length; u++)
                {
                    // The first operand becomes the upper half.
                    if (width == 4)
                    {
                        _w.Op($"cvt.rn.bf16x2.f32 {low}, {values[u][1]}, {values[u][0]}");
                        _w.Op($"cvt.rn.bf16x2.f32 {high}, {values[u][3]}, {values[u][2]}");
                        _w.Op(rows[u], $"st.global.v2.b32 [{_walk}], {PtxWriter.Vector(low, high)}");
                    }
                    else
                    {
                        _w.Op($"cvt.rn.bf16x2.f32 {low}, {zero}, {values[u][0]}");
                        _w.Op(rows[u], $"st.global.u16 [{_walk}], {low}");
                    }
                    if (u + 1 < values.Length) _w.Op($"add.u64 {_walk}, {_walk}, {_step}");
                }
            }
        }

        public void Advance()
        {
            string four = _w.U64(_name + "_rows");
            _w.Op($"mul.lo.u64 {four}, {_step}, {Unroll}");
            _w.Op($"add.u64 {_address}, {_address}, {four}");
        }
    }

    private PtxWriter Writer => w;

    private GemmFields Fields => p;

    private TileOrder Order => at;
}

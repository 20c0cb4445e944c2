namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>C or the residual in an epilogue: the addresses of this thread's rows, loads and stores in either element type.</summary>
internal sealed class GemmRows
{
    private readonly PtxWriter _w;
    private readonly GemmFields _p;
    private readonly TileOrder _at;
    private readonly string _name, _address, _step, _walk, _half;

    /// <summary>The rows of <paramref name="m"/>, <paramref name="m"/> + <paramref name="step"/> …, from column <paramref name="n"/>.</summary>
    public GemmRows(PtxWriter w, GemmFields p, TileOrder at, string name, string origin, GemmFlags half, string stride0, string stride1, string rowStride,
        string columnStride, string m, string n, int step)
    {
        (_w, _p, _at, _name) = (w, p, at, name);
        _address = p.Address(_w, name, at, origin, stride0, stride1);
        string index = _w.U64(name + "_index");
        _step = _w.U64(name + "_step");
        _walk = _w.U64(name + "_walk");
        _w.Op($"cvt.u64.u32 {index}, {m}");
        _w.Op($"mad.lo.u64 {_address}, {index}, {p[rowStride]}, {_address}");
        _w.Op($"cvt.u64.u32 {index}, {n}");
        _w.Op($"mad.lo.u64 {_address}, {index}, {p[columnStride]}, {_address}");
        _w.Op($"mul.lo.u64 {_step}, {p[rowStride]}, {step}");
        _half = p.Test(w, name + "_bf16", half);
    }

    /// <summary>A split writes its own part of the workspace, which takes C's place.</summary>
    public void AddSplit()
    {
        string split = _w.U64("split64");
        _w.Op($"cvt.u64.u32 {split}, {_at.Split}");
        _w.Op($"mad.lo.u64 {_address}, {split}, {_p[nameof(GemmParameters.SplitStride)]}, {_address}");
    }

    /// <summary>Adds the elements of the rows that exist to <paramref name="values"/>, one array per row.</summary>
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
                    Widen(_w, wide, bits[u], i);
                    _w.Op($"add.rn.f32 {values[u][i]}, {values[u][i]}, {wide}");
                }
            }
        }
    }

    /// <summary>Rounds and stores the rows that exist.</summary>
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

    /// <summary>Moves on by <paramref name="rows"/> steps.</summary>
    public void Advance(int rows)
    {
        string four = _w.U64(_name + "_rows");
        _w.Op($"mul.lo.u64 {four}, {_step}, {rows}");
        _w.Op($"add.u64 {_address}, {_address}, {four}");
    }

    /// <summary>Element <paramref name="i"/> of bfloat16 pairs as a float: a bfloat16 is the upper half of one.</summary>
    public static void Widen(PtxWriter w, string into, string[] pairs, int i) =>
        w.Op(i % 2 == 0 ? $"shl.b32 {into}, {pairs[i / 2]}, 16" : $"and.b32 {into}, {pairs[i / 2]}, 0xffff0000");
}

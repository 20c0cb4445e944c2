namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// One operand of a product in shared memory, for A and B alike. A tile is stored as it lies in global memory, in rows of 16-byte chunks:
/// k-contiguous as [outer][k] with 128-byte rows, outer-contiguous as [k][outer]. Chunk c of row r lies at place c ^ key(r), so that
/// the eight rows of one ldmatrix, or the four of one tf32 load, fall into different banks.
/// </summary>
internal sealed class GemmOperand(GemmKernel kernel, bool isA, bool hopper)
{
    private readonly OperandLayout _layout = isA ? kernel.A : kernel.B;
    private readonly int _outer = isA ? kernel.Tile.M : kernel.Tile.N;
    private readonly int _warpOuter = isA ? kernel.Tile.WarpM : kernel.Tile.WarpN;
    private readonly string _name = isA ? "a" : "b";

    // Copying: a thread owns one unit (16 or 4 bytes) of a row and visits every RowsPerPass-th row.
    private string _pointer = "", _passStride = "", _limit = "", _size = "", _remaining = "", _address = "", _walk = "", _target = "";
    // Reading fragments.
    private string _lane = "", _stage = "";

    private bool KContiguous => _layout == OperandLayout.KContiguous;

    /// <summary>Rows of the tile in shared memory.</summary>
    public int Rows => KContiguous ? _outer : kernel.TileK;

    /// <summary>Bytes per row.</summary>
    public int RowBytes => KContiguous ? GemmTile.RowBytes : _outer * kernel.ElementBytes;

    /// <summary>Where the tile begins in a stage.</summary>
    public int Offset => isA ? 0 : kernel.Tile.M * GemmTile.RowBytes;

    /// <summary>Whether fragments come by ldmatrix; 32-bit elements cannot be transposed by it.</summary>
    public bool UsesMatrixLoads => KContiguous || kernel.Kind == GemmKind.BFloat16;

    /// <summary>Fragment registers per step of k: four per 16 rows of A, two per 8 columns of B.</summary>
    public int Fragments => isA ? _warpOuter / 16 * 4 : _warpOuter / 8 * 2;

    /// <summary>Rows that one pass of the block's threads covers.</summary>
    public int RowsPerPass => kernel.Tile.Threads / (RowBytes / kernel.CopyBytes);

    /// <summary>Asynchronous copies per thread and tile.</summary>
    public int Passes => Rows / RowsPerPass;

    /// <summary>The chunk permutation: chunk c of row r is stored at c ^ Key(r).</summary>
    public int Key(int row) => UsesMatrixLoads ? row & 7 : 2 * (row & 3);

    /// <summary>
    /// Sets up this thread's part of the copies. <paramref name="outer0"/> is the tile's first row of A or column of B, of
    /// <paramref name="outerSize"/>.
    /// </summary>
    public void BeginCopies(
        PtxWriter w, string thread, string origin, string stride, string outer0, string outerSize, string kBegin, string kEnd, string shared)
    {
        int units = RowBytes / kernel.CopyBytes, bits = System.Numerics.BitOperations.Log2((uint)units);
        string row = w.U32(_name + "_row"), unit = w.U32(_name + "_unit"), t = w.U32(_name + "_t");
        string row64 = w.U64(_name + "_row64"), unit64 = w.U64(_name + "_unit64");
        w.Comment($"{_name.ToUpperInvariant()}: {Rows} rows of {RowBytes} bytes, {Passes} copies of {kernel.CopyBytes} bytes per thread");
        w.Op($"shr.u32 {row}, {thread}, {bits}");
        w.Op($"and.b32 {unit}, {thread}, {units - 1}");
        w.Op($"mul.lo.u32 {unit}, {unit}, {kernel.CopyBytes}");

        _address = w.U32(_name + "_to");
        w.Op($"and.b32 {t}, {row}, {(UsesMatrixLoads ? 7 : 3)}");
        w.Op($"shl.b32 {t}, {t}, {(UsesMatrixLoads ? 4 : 5)}");
        w.Op($"xor.b32 {t}, {t}, {unit}");
        w.Op($"mad.lo.u32 {_address}, {row}, {RowBytes}, {t}");
        w.Op($"add.u32 {_address}, {_address}, {shared}");
        if (Offset != 0) w.Op($"add.u32 {_address}, {_address}, {Offset}");

        _pointer = w.U64(_name + "_from");
        _passStride = w.U64(_name + "_pass");
        _limit = w.U32(_name + "_limit");
        _size = w.U32(_name + "_size");
        _walk = w.U64(_name + "_walk");
        _target = w.U32(_name + "_target");
        var (major0, majorEnd, minor0, minorEnd) = KContiguous ? (outer0, outerSize, kBegin, kEnd) : (kBegin, kEnd, outer0, outerSize);
        w.Op($"add.u32 {t}, {major0}, {row}");
        w.Op($"cvt.u64.u32 {row64}, {t}");
        w.Op($"mad.lo.u64 {_pointer}, {row64}, {stride}, {origin}");
        w.Op($"sub.s32 {_limit}, {majorEnd}, {t}");
        w.Op($"mad.lo.u32 {t}, {minor0}, {kernel.ElementBytes}, {unit}");
        w.Op($"cvt.u64.u32 {unit64}, {t}");
        w.Op($"add.u64 {_pointer}, {_pointer}, {unit64}");
        w.Op($"mul.lo.u64 {_passStride}, {stride}, {RowsPerPass}");
        _remaining = w.U32(_name + "_left");
        w.Op($"sub.s32 {_remaining}, {minorEnd}, {minor0}");
        w.Op($"mul.lo.s32 {_remaining}, {_remaining}, {kernel.ElementBytes}");
        w.Op($"sub.s32 {_remaining}, {_remaining}, {unit}");
        Clamp(w);
    }

    /// <summary>The copies of passes [first, last) of the current tile into the stage at the byte offset in <paramref name="stage"/>.</summary>
    public void Copy(PtxWriter w, string stage, int first, int last)
    {
        if (first == 0 && last > 0)
        {
            w.Op($"mov.u64 {_walk}, {_pointer}");
            w.Op($"add.u32 {_target}, {_address}, {stage}");
        }
        for (int i = first; i < last; i++)
        {
            int row = i * RowsPerPass;
            // A row's key is the xor of the thread's first row's and the pass's: the bits do not overlap.
            int flip = Key(row) << 4;
            string to = _target;
            if (flip != 0)
            {
                to = w.U32(_name + "_flip");
                w.Op($"xor.b32 {to}, {_target}, {flip}");
            }
            string inside = w.Predicate(_name + "_in"), bytes = w.U32(_name + "_bytes");
            w.Op($"setp.gt.s32 {inside}, {_limit}, {row}");
            w.Op($"selp.b32 {bytes}, {_size}, 0, {inside}");
            w.Op(kernel.CopyBytes == 16
                ? $"cp.async.cg.shared.global.L2::128B [{to}+{row * RowBytes}], [{_walk}], 16, {bytes}"
                : $"cp.async.ca.shared.global [{to}+{row * RowBytes}], [{_walk}], {kernel.CopyBytes}, {bytes}");
            w.Op($"add.u64 {_walk}, {_walk}, {_passStride}");
        }
    }

    /// <summary>Moves the copies to the next tile of k.</summary>
    public void NextTile(PtxWriter w)
    {
        if (KContiguous)
        {
            w.Op($"add.u64 {_pointer}, {_pointer}, {GemmTile.RowBytes}");
            w.Op($"sub.s32 {_remaining}, {_remaining}, {GemmTile.RowBytes}");
            Clamp(w);
            return;
        }
        w.Op($"mov.u64 {_pointer}, {_walk}");
        w.Op($"sub.s32 {_limit}, {_limit}, {kernel.TileK}");
    }

    // Bytes of this thread's unit that exist: the rest of a copy is filled with zeros.
    private void Clamp(PtxWriter w)
    {
        w.Op($"max.s32 {_size}, {_remaining}, 0");
        w.Op($"min.s32 {_size}, {_size}, {kernel.CopyBytes}");
    }

    /// <summary>This lane's address in a tile whose stage begins at 0. <paramref name="warp"/> is the warp's place along the outer index.</summary>
    public void BeginFragments(PtxWriter w, string lane, string warp)
    {
        string row = w.U32(_name + "_lane_row"), chunk = w.U32(_name + "_lane_chunk"), t = w.U32(_name + "_lane_t");
        _lane = w.U32(_name + "_lane");
        _stage = w.U32(_name + "_stage");
        if (!UsesMatrixLoads)
        {
            // Lane (g, t) reads element g of row t: key 2·t moves by 8 elements, so that the four rows use 32 banks.
            w.Op($"and.b32 {row}, {lane}, 3");
            w.Op($"shr.u32 {chunk}, {lane}, 2");
            w.Op($"mad.lo.u32 {chunk}, {warp}, {_warpOuter}, {chunk}");
            w.Op($"shl.b32 {chunk}, {chunk}, 2");
            w.Op($"shl.b32 {t}, {row}, 5");
            w.Op($"xor.b32 {chunk}, {chunk}, {t}");
            w.Op($"mad.lo.u32 {_lane}, {row}, {RowBytes}, {chunk}");
        }
        else
        {
            // ldmatrix takes the row addresses of four 8x8 matrices from lanes 0-7, 8-15, 16-23, 24-31. Its results must be the fragment
            // registers in order: for A rows 0-7, rows 8-15, then both again with the second half of k; for B both halves of k, then the
            // same 8 columns further on.
            bool rowsFirst = isA == KContiguous;
            if (rowsFirst)
            {
                w.Op($"and.b32 {row}, {lane}, 15");
                w.Op($"shr.u32 {chunk}, {lane}, 4");
            }
            else
            {
                w.Op($"shr.u32 {row}, {lane}, 1");
                w.Op($"and.b32 {row}, {row}, 8");
                w.Op($"and.b32 {t}, {lane}, 7");
                w.Op($"or.b32 {row}, {row}, {t}");
                w.Op($"shr.u32 {chunk}, {lane}, 3");
                w.Op($"and.b32 {chunk}, {chunk}, 1");
            }
            if (KContiguous) w.Op($"mad.lo.u32 {row}, {warp}, {_warpOuter}, {row}");
            else w.Op($"mad.lo.u32 {chunk}, {warp}, {_warpOuter / 8}, {chunk}");
            w.Op($"and.b32 {t}, {lane}, 7");
            w.Op($"xor.b32 {chunk}, {chunk}, {t}");
            w.Op($"shl.b32 {chunk}, {chunk}, 4");
            w.Op($"mad.lo.u32 {_lane}, {row}, {RowBytes}, {chunk}");
        }
        if (Offset != 0) w.Op($"add.u32 {_lane}, {_lane}, {Offset}");
    }

    /// <summary>Chooses the stage, by address, that <see cref="LoadFragments"/> reads.</summary>
    public void SelectStage(PtxWriter w, string stage) => w.Op($"add.u32 {_stage}, {_lane}, {stage}");

    /// <summary>Loads the fragments of step <paramref name="step"/> of the stage's k.</summary>
    public void LoadFragments(PtxWriter w, int step, string[] into)
    {
        if (!UsesMatrixLoads) LoadElements(w, step, into);
        else
        {
            for (int j = 0; j < _warpOuter / 16; j++)
            {
                // Everything but bits 4 to 6, which the key permutes, is a plain offset.
                int chunk = KContiguous ? step * 2 : j * 2;
                int offset = KContiguous ? j * 16 * RowBytes : step * 16 * RowBytes;
                string address = Permuted(w, (chunk & 7) << 4);
                string target = PtxWriter.Vector(into[j * 4], into[j * 4 + 1], into[j * 4 + 2], into[j * 4 + 3]);
                w.Op($"ldmatrix.sync.aligned.m8n8.x4{(KContiguous ? "" : ".trans")}.shared.b16 {target}, [{address}+{offset + ((chunk & ~7) << 4)}]");
            }
        }
        if (kernel.Kind != GemmKind.Tf32) return;
        // Rounded, not cut off. Hopper rounds ties to even in one instruction; before it there is only ties away from zero, in two.
        foreach (string register in into) w.Op($"cvt.{(hopper ? "rn" : "rna")}.tf32.f32 {register}, {register}");
    }

    private void LoadElements(PtxWriter w, int step, string[] into)
    {
        for (int j = 0; j < _warpOuter / 8; j++)
        {
            string address = Permuted(w, (j & 3) << 5);
            for (int half = 0; half < 2; half++)
            {
                // A: registers 0, 1 are rows 0-7 and 8-15 of the first four k, 2, 3 of the second. B: registers 0, 1 are the two halves of k.
                string register = isA ? into[j / 2 * 4 + half * 2 + j % 2] : into[j * 2 + half];
                w.Op($"ld.shared.b32 {register}, [{address}+{(step * 8 + half * 4) * RowBytes + (j >> 2) * 128}]");
            }
        }
    }

    private string Permuted(PtxWriter w, int flip)
    {
        if (flip == 0) return _stage;
        string address = w.U32(_name + "_at");
        w.Op($"xor.b32 {address}, {_stage}, {flip}");
        return address;
    }
}

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// Rows of one operand in shared memory, [row, dim] in bfloat16, in chunks of 16 bytes. Chunk c of row r lies at place c ^ key(r), so that the
/// eight rows that one ldmatrix reads at one chunk fall into different banks, both for multiplying by the rows and by their transpose.
/// </summary>
/// <remarks>
/// Rows of a multiple of 128 bytes begin in bank 0: the key is the row modulo 8. Rows of an odd multiple of 64 bytes begin in bank 0 or 16 by
/// turns: the key is half the row modulo 4.
/// </remarks>
internal sealed class FlashTile(string name, int rows, int dim, int offset)
{
    private string _to = "", _row = "", _rowOffset = "", _stride = "", _active = "";

    /// <summary>Bytes of a row.</summary>
    public int RowBytes => dim * 2;

    /// <summary>Bytes of the tile.</summary>
    public int Bytes => rows * RowBytes;

    /// <summary>16-byte chunks of a row.</summary>
    public int Chunks => RowBytes / 16;

    /// <summary>Bits of a chunk's number that the key changes.</summary>
    public int KeyMask => RowBytes % 128 == 0 ? 7 : 3;

    /// <summary>Rows that the block's threads copy at once; a multiple of 8, so that a thread's key never changes.</summary>
    public int RowsPerPass
    {
        get
        {
            int pass = 8;
            while (pass * 2 * Chunks <= FlashKernel.Threads && pass < rows) pass *= 2;
            return pass;
        }
    }

    /// <summary>Sets up this thread's part of the copies. Distances within a tile have 32 bits, which keeps registers free.</summary>
    /// <param name="w">Writer.</param>
    /// <param name="thread">Thread in the block.</param>
    /// <param name="shared">Address of shared memory.</param>
    /// <param name="stride">Bytes between rows, 32 bits.</param>
    public void BeginCopies(PtxWriter w, string thread, string shared, string stride)
    {
        string chunk = w.U32(name + "_chunk"), key = w.U32(name + "_key");
        _stride = stride;
        _row = w.U32(name + "_row");
        _to = w.U32(name + "_to");
        _rowOffset = w.U32(name + "_row_offset");
        w.Comment($"{name}: {rows} rows of {RowBytes} bytes, {rows / RowsPerPass} copies per thread");
        w.Op($"div.u32 {_row}, {thread}, {Chunks}");
        w.Op($"rem.u32 {chunk}, {thread}, {Chunks}");
        EmitKey(w, key, _row);
        w.Op($"xor.b32 {key}, {key}, {chunk}");
        w.Op($"shl.b32 {key}, {key}, 4");
        w.Op($"mad.lo.u32 {_to}, {_row}, {RowBytes}, {key}");
        w.Op($"add.u32 {_to}, {_to}, {shared}");
        w.Op($"shl.b32 {chunk}, {chunk}, 4");
        w.Op($"mad.lo.u32 {_rowOffset}, {_row}, {stride}, {chunk}");
        if (RowsPerPass * Chunks == FlashKernel.Threads) return;
        _active = w.Predicate(name + "_active");
        w.Op($"setp.lt.u32 {_active}, {thread}, {RowsPerPass * Chunks}");
    }

    /// <summary>Moves an address to the next tile.</summary>
    public void Advance(PtxWriter w, string own) => w.Op($"mad.wide.u32 {own}, {_stride}, {rows}, {own}");

    /// <summary>The address of this thread's part of row 0's pass, from the address of row 0.</summary>
    public string Own(PtxWriter w, string origin)
    {
        string own = w.U64(name + "_own");
        w.Op($"cvt.u64.u32 {own}, {_rowOffset}");
        w.Op($"add.u64 {own}, {own}, {origin}");
        return own;
    }

    /// <summary>
    /// Queues the copies of the tile, of which <paramref name="own"/> is this thread's part. Rows from <paramref name="count"/> on (signed) become
    /// zeros.
    /// </summary>
    /// <param name="w">Writer.</param>
    /// <param name="own">See <see cref="Own"/>.</param>
    /// <param name="count">Rows that exist.</param>
    /// <param name="stage">Byte offset of the buffer among several, or null.</param>
    public void Copy(PtxWriter w, string own, string count, string? stage = null)
    {
        string walk = w.U64(name + "_walk"), left = w.U32(name + "_left"), to = _to;
        w.Op($"mov.u64 {walk}, {own}");
        w.Op($"sub.s32 {left}, {count}, {_row}");
        if (stage is not null)
        {
            to = w.U32(name + "_stage_to");
            w.Op($"add.u32 {to}, {_to}, {stage}");
        }
        for (int row = 0; row < rows; row += RowsPerPass)
        {
            string inside = w.Predicate(name + "_in"), bytes = w.U32(name + "_bytes");
            w.Op($"setp.gt.s32 {inside}, {left}, {row}");
            w.Op($"selp.b32 {bytes}, 16, 0, {inside}");
            string copy = $"cp.async.cg.shared.global.L2::128B [{to}+{offset + row * RowBytes}], [{walk}], 16, {bytes}";
            if (_active == "") w.Op(copy);
            else w.Op(_active, copy);
            if (row + RowsPerPass < rows) w.Op($"mad.wide.u32 {walk}, {_stride}, {RowsPerPass}, {walk}");
        }
    }

    /// <summary>
    /// This lane's address for fragments of the left operand, and of the right operand by its transpose: lanes 0 to 15 give the rows of the
    /// first 8 columns, lanes 16 to 31 those of the next 8.
    /// </summary>
    public string LaneLeft(PtxWriter w, string lane, string shared, string? firstRow = null)
    {
        string row = w.U32(name + "_lane_row"), half = w.U32(name + "_lane_half");
        w.Op($"and.b32 {row}, {lane}, 15");
        w.Op($"shr.u32 {half}, {lane}, 4");
        return Lane(w, row, half, shared, firstRow);
    }

    /// <summary>This lane's address for fragments of the right operand: 8 rows by both halves of 16 columns, then the next 8 rows.</summary>
    public string LaneRight(PtxWriter w, string lane, string shared)
    {
        string row = w.U32(name + "_lane_row"), half = w.U32(name + "_lane_half");
        w.Op($"shr.u32 {row}, {lane}, 1");
        w.Op($"and.b32 {row}, {row}, 8");
        w.Op($"and.b32 {half}, {lane}, 7");
        w.Op($"or.b32 {row}, {row}, {half}");
        w.Op($"shr.u32 {half}, {lane}, 3");
        w.Op($"and.b32 {half}, {half}, 1");
        return Lane(w, row, half, shared, null);
    }

    /// <summary>Loads four fragment registers: rows 16·<paramref name="strip"/> on, from chunk <paramref name="chunk"/> on.</summary>
    public void Load(PtxWriter w, string lane, int strip, int chunk, bool transposed, ReadOnlySpan<string> into)
    {
        string address = lane;
        int flip = (chunk & KeyMask) << 4;
        if (flip != 0)
        {
            address = w.U32(name + "_at");
            w.Op($"xor.b32 {address}, {lane}, {flip}");
        }
        string kind = transposed ? ".trans" : "";
        w.Op($"ldmatrix.sync.aligned.m8n8.x4{kind}.shared.b16 {PtxWriter.Vector(into)}, [{address}+{strip * 16 * RowBytes + ((chunk & ~KeyMask) << 4)}]");
    }

    /// <summary>Writes an output strip by strip through this tile: fragments of this warp's rows to shared memory, then whole rows to global memory.</summary>
    /// <param name="w">Writer.</param>
    /// <param name="lane">Lane of the warp.</param>
    /// <param name="shared">Address of shared memory.</param>
    /// <param name="warpRow">First row of the warp in the tile.</param>
    /// <param name="sums">Fragments [strip, dim/8, 4], already scaled.</param>
    /// <param name="strips">Strips of 16 rows of the warp.</param>
    /// <param name="origin">Address of the tile's row 0.</param>
    /// <param name="stride">Bytes between rows.</param>
    /// <param name="count">Rows of the tile that exist.</param>
    public void Write(PtxWriter w, string lane, string shared, string warpRow, string[] sums, int strips, string origin, string stride, string count)
    {
        string row = w.U32(name + "_out_row"), at = w.U32(name + "_out_at"), t = w.U32(name + "_out_t"), packed = w.U32(name + "_out_packed");
        int columns = dim / 8;
        w.Comment($"{name}: lane (g, t) writes columns 2t, 2t + 1 of rows g and g + 8");
        w.Op($"shr.u32 {row}, {lane}, 2");
        EmitKey(w, t, row);
        w.Op($"shl.b32 {t}, {t}, 4");
        w.Op($"add.u32 {row}, {row}, {warpRow}");
        w.Op($"mad.lo.u32 {at}, {row}, {RowBytes}, {t}");
        w.Op($"and.b32 {t}, {lane}, 3");
        w.Op($"mad.lo.u32 {at}, {t}, 4, {at}");
        w.Op($"add.u32 {at}, {at}, {shared}");
        for (int i = 0; i < strips * columns; i++)
        {
            int strip = i / columns, chunk = i % columns, flip = (chunk & KeyMask) << 4, plain = offset + strip * 16 * RowBytes + ((chunk & ~KeyMask) << 4);
            w.Op($"xor.b32 {t}, {at}, {flip}");
            w.Op($"cvt.rn.bf16x2.f32 {packed}, {sums[i * 4 + 1]}, {sums[i * 4]}");
            w.Op($"st.shared.b32 [{t}+{plain}], {packed}");
            w.Op($"cvt.rn.bf16x2.f32 {packed}, {sums[i * 4 + 3]}, {sums[i * 4 + 2]}");
            w.Op($"st.shared.b32 [{t}+{plain + 8 * RowBytes}], {packed}");
        }
        w.Op("bar.warp.sync 0xffffffff");
        string[] data = w.U32(name + "_out_data", 4);
        string chunk32 = w.U32(name + "_out_chunk"), address = w.U64(name + "_out_address"), part = w.U64(name + "_out_part");
        string inside = w.Predicate(name + "_out_in");
        for (int i = 0; i < strips * 16 * Chunks / 32; i++)
        {
            w.Op($"add.u32 {t}, {lane}, {i * 32}");
            w.Op($"div.u32 {row}, {t}, {Chunks}");
            w.Op($"rem.u32 {chunk32}, {t}, {Chunks}");
            EmitKey(w, t, row);
            w.Op($"xor.b32 {t}, {t}, {chunk32}");
            w.Op($"add.u32 {row}, {row}, {warpRow}");
            w.Op($"shl.b32 {t}, {t}, 4");
            w.Op($"mad.lo.u32 {t}, {row}, {RowBytes}, {t}");
            w.Op($"add.u32 {t}, {t}, {shared}");
            w.Op($"setp.lt.s32 {inside}, {row}, {count}");
            w.Op($"ld.shared.v4.b32 {PtxWriter.Vector(data)}, [{t}+{offset}]");
            w.Op($"cvt.u64.u32 {address}, {row}");
            w.Op($"mad.lo.u64 {address}, {address}, {stride}, {origin}");
            w.Op($"mul.wide.u32 {part}, {chunk32}, 16");
            w.Op($"add.u64 {address}, {address}, {part}");
            w.Op(inside, $"st.global.v4.b32 [{address}], {PtxWriter.Vector(data)}");
        }
    }

    private string Lane(PtxWriter w, string row, string half, string shared, string? firstRow)
    {
        string key = w.U32(name + "_lane_key"), lane = w.U32(name + "_lane");
        EmitKey(w, key, row);
        w.Op($"xor.b32 {key}, {key}, {half}");
        w.Op($"shl.b32 {key}, {key}, 4");
        if (firstRow is not null) w.Op($"add.u32 {row}, {row}, {firstRow}");
        w.Op($"mad.lo.u32 {lane}, {row}, {RowBytes}, {key}");
        w.Op($"add.u32 {lane}, {lane}, {shared}");
        if (offset != 0) w.Op($"add.u32 {lane}, {lane}, {offset}");
        return lane;
    }

    private void EmitKey(PtxWriter w, string key, string row)
    {
        if (KeyMask == 7)
        {
            w.Op($"and.b32 {key}, {row}, 7");
            return;
        }
        w.Op($"shr.u32 {key}, {row}, 1");
        w.Op($"and.b32 {key}, {key}, 3");
    }
}

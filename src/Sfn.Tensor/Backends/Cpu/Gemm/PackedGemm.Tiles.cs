using System.Runtime.Intrinsics.X86;
using unsafe TileKernel = delegate*<long, float*, long, long, float*, long, float*, long, float, int, float*, long, void>;

namespace Sfn.Backends.Cpu;

internal sealed unsafe partial class PackedGemm
{
    /// <summary>The rows of A under a tile, for one K block, as the kernels read them.</summary>
    private struct AView
    {
        public float* Start;
        public long Panel, Row, Col, Group;
    }

    private void Tile(int chunk)
    {
        ref readonly var p = ref _p;
        int perBatch = _rowBlocks * _colBlocks, batch = chunk / perBatch, tile = chunk % perBatch;
        int outer = _outer0 + batch / p.Batch1, inner = batch % p.Batch1;
        int rowBlock = tile / _colBlocks, colBlock = tile % _colBlocks;
        int i0 = FirstRowPanel(rowBlock), i1 = FirstRowPanel(rowBlock + 1);
        int j0 = (int)((long)_panels * colBlock / _colBlocks), j1 = (int)((long)_panels * (colBlock + 1) / _colBlocks);
        float* a = p.A + outer * p.A0 + inner * p.A1 + (long)i0 * _mr * p.ARow;
        float* c = p.C + outer * p.C0 + inner * p.C1 + (long)i0 * _mr * p.CRow;
        float* bias = p.Bias == null ? null : p.Bias + outer * p.Bias0 + inner * p.Bias1;
        float* residual = p.Residual == null ? null : p.Residual + outer * p.C0 + inner * p.C1 + (long)i0 * _mr * p.ResidualRow;
        int rows = Math.Min(p.M, i1 * _mr) - i0 * _mr;
        float* scratch = CpuScratch.Rent(ScratchUse.GemmTile, (long)(_groups + 1) * (_mr + 1) * _nr + 64);
        if (_scratch) ScratchTile(a, c, bias, residual, rows, j0, j1, outer, inner, scratch);
        else DirectTile(a, c, bias, residual, rows, j0, j1, outer, inner, scratch);
    }

    /// <summary>C with unit columns: the kernels write it in place, K block by K block; the epilogue follows in the last.</summary>
    private void DirectTile(float* a, float* c, float* bias, float* residual, int rows, int j0, int j1, int outer, int inner, float* scratch)
    {
        ref readonly var p = ref _p;
        float* source = p.B + outer * p.B0 + inner * p.B1;
        int blocks = _k1 - _k0;
        if (blocks > 1 && _groups == 1 && (long)rows * _kSpan <= CachedA)
        {
            // All of A's rows stay in the second-level cache, so a panel's part of C can stay in the first until it is finished.
            float* packed = PackWhole(a, rows);
            for (int j = j0; j < j1; j++)
                for (int kb = _k0; kb < _k1; kb++)
                    Stripe(WholeView(packed, a, rows, 0, kb), c, bias, residual, rows, j, j + 1, kb, KLength(kb), source, Distinct(outer, inner, 0), scratch);
            return;
        }
        for (int kb = _k0; kb < _k1; kb++)
        {
            int k = kb * _kBlock, kc = Math.Min(_kBlock, p.K - k);
            var view = ViewA(a + k * p.ACol, rows, kc);
            for (int g = 0; g < _groups; g++)
            {
                Stripe(view, c + g * _cGroup, bias == null ? null : bias + g * _biasGroup, residual, rows, j0, j1, kb, kc,
                    source + g * _bGroup, Distinct(outer, inner, g), scratch);
                view.Start += view.Group;
            }
        }
    }

    /// <summary>All panels of a tile over one K block. A panel of B is used for all rows before the next is touched.</summary>
    private void Stripe(in AView view, float* c, float* bias, float* residual, int rows, int j0, int j1, int kb, int kc, float* source, int distinct,
        float* scratch)
    {
        ref readonly var p = ref _p;
        int mr = _mr, nr = _nr, width = _width, accumulate = kb > 0 || p.Accumulate ? 1 : 0;
        bool finish = kb == _kBlocks - 1 && p.HasEpilogue;
        float alpha = p.Alpha;
        for (int j = j0; j < j1; j++)
        {
            int col = _n0 + j * nr, cols = Math.Min(nr, _n0 + _nCols - col), vectors = (cols + width - 1) / width, padded = vectors * width;
            float* b = PanelOf(source, distinct, kb, j, kc, cols == padded, out long step);
            var full = GemmKernels.Tile(mr, vectors);
            float* bj = finish && bias != null ? BiasOf(bias, p.BiasStride, col, cols, scratch + mr * nr) : null;
            float* ai = view.Start;
            // While a panel is used, the next one comes from memory into the second-level cache, a slice with each register tile.
            float* next = b + kc * step;
            long ahead = _packedB > CachedB ? (step * mr + rows - 1) / rows : 0;
            for (int row = 0; row < rows; row += mr)
            {
                int count = Math.Min(mr, rows - row);
                float* ci = c + col + row * p.CRow;
                if (cols == padded)
                {
                    if (count == mr) full(kc, ai, view.Row, view.Col, b, step, ci, p.CRow, alpha, accumulate, next, ahead);
                    else Rest(kc, ai, view, b, step, ci, p.CRow, alpha, accumulate, count, vectors);
                }
                else
                {
                    if (accumulate != 0) Copy(scratch, padded, ci, p.CRow, count, cols);
                    Rest(kc, ai, view, b, step, scratch, padded, alpha, accumulate, count, vectors);
                    Copy(ci, p.CRow, scratch, padded, count, cols);
                }
                if (finish)
                    GemmEpilogue.Apply(ci, p.CRow, count, cols, bj,
                        residual == null ? null : residual + row * p.ResidualRow + col, p.ResidualRow, p.Activation);
                ai += view.Panel;
                next += kc * ahead;
            }
        }
    }

    /// <summary>
    /// C with strided columns: a register tile of every interleaved block is finished over all K in scratch, then the blocks
    /// are interleaved into C, whose cache lines are so written once and whole.
    /// </summary>
    private void ScratchTile(float* a, float* c, float* bias, float* residual, int rows, int j0, int j1, int outer, int inner, float* scratch)
    {
        ref readonly var p = ref _p;
        int mr = _mr, nr = _nr, width = _width, groups = _groups;
        long tile = mr * nr;
        bool accumulate = p.Accumulate || _k0 > 0, finish = _k1 == _kBlocks && p.HasEpilogue;
        float* biasTmp = scratch + groups * tile;
        float* packedA = PackWhole(a, rows);

        for (int j = j0; j < j1; j++)
        {
            int col = _n0 + j * nr, cols = Math.Min(nr, _n0 + _nCols - col), vectors = (cols + width - 1) / width, padded = vectors * width;
            if (finish && bias != null)
                for (int g = 0; g < groups; g++)
                    for (int n = 0; n < cols; n++) biasTmp[n * groups + g] = bias[g * _biasGroup + (col + n) * p.BiasStride];
            for (int row = 0; row < rows; row += mr)
            {
                int count = Math.Min(mr, rows - row);
                for (int g = 0; g < groups; g++)
                {
                    // The burst of stores that follows would wait for its lines; they are asked for a block at a time.
                    if (Sse.IsSupported && groups > 1)
                        for (int r = count * g / groups; r < count * (g + 1) / groups; r++)
                            for (int n = 0; n < cols * groups; n += 16) Sse.Prefetch0(c + (row + r) * p.CRow + col * groups + n);
                    int distinct = Distinct(outer, inner, g);
                    float* source = p.B + outer * p.B0 + inner * p.B1 + g * _bGroup;
                    for (int kb = _k0; kb < _k1; kb++)
                    {
                        int kc = KLength(kb);
                        var view = WholeView(packedA, a, rows, g, kb);
                        float* b = PanelOf(source, distinct, kb, j, kc, cols == padded, out long step);
                        Rest(kc, view.Start + row / mr * view.Panel, view, b, step, scratch + g * tile, padded, p.Alpha, kb > _k0 ? 1 : 0, count, vectors);
                    }
                }
                for (int r = 0; r < count; r++)
                {
                    float* ci = c + (row + r) * p.CRow + col * p.CCol;
                    float* si = scratch + r * padded;
                    float* ri = !finish || residual == null ? null : residual + (row + r) * p.ResidualRow + (long)col * groups;
                    if (groups > 1)
                    {
                        GemmStride.Interleave(ci, si, tile, cols, groups, accumulate);
                        if (finish) GemmEpilogue.Apply(ci, 0, 1, cols * groups, bias == null ? null : biasTmp, ri, 0, p.Activation);
                        continue;
                    }
                    if (accumulate) for (int n = 0; n < cols; n++) si[n] += ci[n * p.CCol];
                    if (finish) GemmEpilogue.Apply(si, 0, 1, cols, bias == null ? null : biasTmp, ri, 0, p.Activation);
                    for (int n = 0; n < cols; n++) ci[n * p.CCol] = si[n];
                }
            }
        }
    }

    // The kernels read A one number at a time, so rows whose neighbours are a few floats apart cost no more than dense ones: the
    // interleaved blocks of a gradient are read where they lie, each from the cache lines that the one before brought.
    private static bool InPlaceA(in GemmProblem p) => p.ACol == 1 || (p.ARow != 1 && p.ACol <= MaxGroups);

    private AView ViewA(float* a, int rows, int kc)
    {
        ref readonly var p = ref _p;
        if (InPlaceA(p)) return new AView { Start = a, Row = p.ARow, Col = p.ACol, Panel = _mr * p.ARow, Group = _aGroup };
        long block = GemmPack.Floats(rows, kc, _mr);
        float* d = CpuScratch.Rent(ScratchUse.GemmA, block * _groups + (rows + 16L) * _groups + 64);
        GemmPack.A(d, _mr, a, p.ARow, p.ACol, rows, kc, _groups, d + block * _groups);
        return new AView { Start = d, Row = 1, Col = _mr, Panel = GemmPack.PanelOf(kc, _mr), Group = block };
    }

    private int KLength(int kb) => Math.Min(_kBlock, _p.K - kb * _kBlock);

    // A tile's rows of A over all of a pass's K, one group after the other; null where they are read in place.
    private float* PackWhole(float* a, int rows)
    {
        ref readonly var p = ref _p;
        if (InPlaceA(p)) return null;
        int blocks = _k1 - _k0;
        long block = GemmPack.Floats(rows, _kBlock, _mr);
        float* packed = CpuScratch.Rent(ScratchUse.GemmA, block * blocks * _groups + rows + 80), tmp = packed + block * blocks * _groups;
        for (int g = 0; g < _groups; g++)
        {
            for (int kb = _k0; kb < _k1; kb++)
                GemmPack.A(packed + (g * blocks + kb - _k0) * block, _mr, a + g * _aGroup + (long)kb * _kBlock * p.ACol, p.ARow, p.ACol, rows, KLength(kb), 1, tmp);
        }
        return packed;
    }

    // One K block of one group of what PackWhole gave.
    private AView WholeView(float* packed, float* a, int rows, int g, int kb)
    {
        ref readonly var p = ref _p;
        if (packed == null)
            return new AView { Start = a + g * _aGroup + (long)kb * _kBlock * p.ACol, Row = p.ARow, Col = p.ACol, Panel = _mr * p.ARow };
        long at = (g * (_k1 - _k0) + kb - _k0) * GemmPack.Floats(rows, _kBlock, _mr);
        return new AView { Start = packed + at, Row = 1, Col = _mr, Panel = GemmPack.PanelOf(KLength(kb), _mr) };
    }

    private float* PanelOf(float* source, int distinct, int kb, int panel, int kc, bool whole, out long step)
    {
        if (_inPlaceB && whole)
        {
            step = _p.BRow;
            return source + (long)kb * _kBlock * step + _n0 + panel * _nr;
        }
        step = (Math.Min(_nr, _nCols - panel * _nr) + _width - 1) / _width * _width;
        return PanelAt(distinct, kb, panel, kc);
    }

    private static float* BiasOf(float* bias, long stride, int col, int cols, float* tmp)
    {
        if (stride == 1) return bias + col;
        for (int n = 0; n < cols; n++) tmp[n] = bias[(col + n) * stride];
        return tmp;
    }

    // Fewer rows than the largest tile has: tiles of four, two and one, whose sums run in the same order.
    private static void Rest(int kc, float* a, in AView view, float* b, long step, float* c, long ldc, float alpha, int accumulate, int rows, int vectors)
    {
        for (int size; rows > 0; rows -= size)
        {
            size = GemmKernels.StepOf(rows);
            TileKernel kernel = GemmKernels.Tile(size, vectors);
            kernel(kc, a, view.Row, view.Col, b, step, c, ldc, alpha, accumulate, b, 0);
            a += size * view.Row;
            c += size * ldc;
        }
    }

    private static void Copy(float* d, long ldd, float* s, long lds, int rows, int cols)
    {
        for (int r = 0; r < rows; r++) new ReadOnlySpan<float>(s + r * lds, cols).CopyTo(new Span<float>(d + r * ldd, cols));
    }
}

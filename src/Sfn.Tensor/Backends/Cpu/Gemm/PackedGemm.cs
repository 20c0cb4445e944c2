namespace Sfn.Backends.Cpu;

/// <summary>
/// The general product: B is packed into column panels (once for all row blocks and for all batches that share it), then
/// tiles of C are taken from one list over all batches. A is read in place where its rows are contiguous.
/// </summary>
internal sealed unsafe partial class PackedGemm
{
    // A slice of A (8 x 384) and the lines of B in flight fit the first-level cache; a panel of B stays in the second.
    private const int MaxKBlock = 384;
    private const int TileRows = 96, TileCols = 960;
    private const int MaxGroups = 16;                // of interleaved blocks whose tiles fit the first-level cache together
    private const long PackedFloats = 5L << 19;      // 10 MiB of packed B at a time: within a shared cache
    private const long CachedA = 144 << 10;          // floats of A that a second-level cache holds beside panels of B
    private const long CachedB = 64 << 10;           // floats of packed B that stay in a second-level cache by themselves
    private const long SmallestTile = 2L << 20;      // multiply-adds; smaller tiles cost more than the balance they bring

    private sealed class Phase(Action<int> body) : CpuJob
    {
        public override void Run(int chunk) => body(chunk);
    }

    [ThreadStatic] private static PackedGemm? t_mine;
    private readonly Phase _packPhase, _tilePhase;
    private readonly int _mr = GemmKernels.Mr, _nr = GemmKernels.Nr, _width = GemmKernels.Width;

    private GemmProblem _p;
    private int _groups;                             // blocks of an interleaved C or A, which one tile computes together
    private long _aGroup, _bGroup, _cGroup, _biasGroup;
    private bool _scratch;                           // C cannot be written in place: tiles go through scratch
    private int _kBlocks, _kBlock;                   // the split of K, from K alone

    // One pass: the part of the problem whose B is packed at a time.
    private int _outer0, _outers, _n0, _nCols, _k0, _k1;   // batches, columns, K blocks
    private int _panels, _padded, _kSpan;
    private long _packedB;                           // floats, 0 where B is read in place
    private int _distinctOuter, _distinctInner, _distinctGroups;
    private bool _inPlaceB, _edgeOnly;
    private float* _packed;

    private int _rowPanels, _rowUnit, _rowBlocks, _colBlocks;

    private PackedGemm()
    {
        _packPhase = new Phase(Pack);
        _tilePhase = new Phase(Tile);
    }

    public static void Execute(in GemmProblem p, bool serial)
    {
        var mine = t_mine ??= new PackedGemm();
        mine._p = p;
        mine.PullGroups();
        mine.Passes(serial);
    }

    /// <summary>Takes the blocks of an interleaved C or A out of the batch: they share cache lines and are computed together.</summary>
    private void PullGroups()
    {
        ref var p = ref _p;
        (_groups, _aGroup, _bGroup, _cGroup, _biasGroup) = (1, 0, 0, 0, 0);
        _scratch = p.CCol != 1;
        long blocks = _scratch ? p.CCol : Math.Min(p.ARow, p.ACol);
        if (blocks is < 2 or > MaxGroups) return;
        if (p.Batch1 == blocks && (_scratch ? p.C1 : p.A1) == 1) { }
        else if (p.Batch0 == blocks && (_scratch ? p.C0 : p.A0) == 1) SwapBatches();
        else return;
        (_groups, _aGroup, _bGroup, _cGroup, _biasGroup) = (p.Batch1, p.A1, p.B1, p.C1, p.Bias1);
        (p.Batch1, p.A1, p.B1, p.C1, p.Bias1) = (1, 0, 0, 0, 0);
    }

    private void SwapBatches()
    {
        ref var p = ref _p;
        (p.Batch0, p.Batch1) = (p.Batch1, p.Batch0);
        (p.A0, p.A1, p.B0, p.B1, p.C0, p.C1) = (p.A1, p.A0, p.B1, p.B0, p.C1, p.C0);
        (p.Bias0, p.Bias1) = (p.Bias1, p.Bias0);
    }

    private void Passes(bool serial)
    {
        ref var p = ref _p;
        _kBlocks = Math.Max(1, (p.K + MaxKBlock - 1) / MaxKBlock);
        _kBlock = Math.Max(8, (p.K + _kBlocks - 1) / _kBlocks + 7 & ~7);
        _kBlocks = Math.Max(1, (p.K + _kBlock - 1) / _kBlock);
        // The outer batch is the one whose B differs, so that passes over it pack every B once.
        if (p.Batch0 == 1 || (p.B0 == 0 && p.B1 != 0)) SwapBatches();
        _distinctInner = p.B1 != 0 ? p.Batch1 : 1;
        _distinctGroups = _bGroup != 0 ? _groups : 1;
        bool outerDiffers = p.B0 != 0 && p.Batch0 > 1;
        // Few rows read a panel of B too rarely to pay for copying it. Rows of B whole pages apart would evict each other.
        _inPlaceB = p.BCol == 1 && p.M <= (p.BRow % 1024 == 0 ? 2 : 24) * _mr;

        int padded = Pad(p.N);
        long one = (long)Math.Max(1, p.K) * padded, inner = (long)_distinctInner * _distinctGroups;
        int outers = outerDiffers ? (int)Math.Clamp(PackedFloats / (one * inner), 1, p.Batch0) : p.Batch0;
        int nChunk = padded, kChunk = _kBlocks;
        if (one * inner > PackedFloats)
        {
            long room = Math.Max(PackedFloats / inner, (long)_kBlock * _nr);
            if ((long)p.K * Math.Min(padded, TileCols) > room) kChunk = (int)Math.Max(1, room / ((long)_kBlock * Math.Min(padded, 2 * TileCols)));
            long span = Math.Min(p.K, (long)kChunk * _kBlock);
            nChunk = (int)Math.Min(padded, Math.Max(_nr, room / span / _nr * _nr));
            // Equal parts: a last one of few columns would read all of A for little.
            int parts = (padded + nChunk - 1) / nChunk, panels = (padded + _nr - 1) / _nr;
            nChunk = (panels + parts - 1) / parts * _nr;
        }

        for (_outer0 = 0; _outer0 < p.Batch0; _outer0 += outers)
        {
            _outers = Math.Min(outers, p.Batch0 - _outer0);
            _distinctOuter = outerDiffers ? _outers : 1;
            for (_n0 = 0; _n0 < p.N; _n0 += nChunk)
            {
                _nCols = Math.Min(nChunk, p.N - _n0);
                for (_k0 = 0; _k0 < _kBlocks; _k0 += kChunk)
                {
                    _k1 = Math.Min(_kBlocks, _k0 + kChunk);
                    Pass(serial);
                }
            }
        }
    }

    private int Pad(int n) => (n + _width - 1) / _width * _width;

    private void Pass(bool serial)
    {
        ref readonly var p = ref _p;
        _panels = (_nCols + _nr - 1) / _nr;
        _padded = Pad(_nCols);
        _kSpan = Math.Min(p.K, _k1 * _kBlock) - _k0 * _kBlock;
        int distinct = _distinctOuter * _distinctInner * _distinctGroups;
        // In place, only a last panel that is no whole number of vectors is packed.
        _edgeOnly = _inPlaceB;
        int packs = distinct * (_k1 - _k0) * (!_inPlaceB ? _panels : _padded != _nCols ? 1 : 0);
        _packedB = _inPlaceB ? 0 : (long)distinct * _kSpan * _padded;
        if (packs > 0)
        {
            _packed = CpuScratch.Rent(ScratchUse.GemmB, (long)distinct * _kSpan * _padded);
            Do(_packPhase, packs, serial);
        }
        int batches = _outers * p.Batch1;
        Partition(batches, serial ? 1 : CpuPool.Threads);
        Do(_tilePhase, batches * _rowBlocks * _colBlocks, serial);
    }

    private static void Do(Phase phase, int chunks, bool serial)
    {
        if (serial) for (int i = 0; i < chunks; i++) phase.Run(i);
        else CpuPool.Run(phase, chunks);
    }

    /// <summary>Cuts C into tiles: at most 96 x 960, and smaller until the threads balance.</summary>
    private void Partition(int batches, int threads)
    {
        ref readonly var p = ref _p;
        bool packsA = !InPlaceA(p);
        // Interleaved blocks are packed 16 rows at a time.
        _rowUnit = packsA && _groups > 1 ? 2 : 1;
        _rowPanels = (p.M + _mr - 1) / _mr;
        int maxRows = Math.Max(1, TileRows / (_groups > 2 && p.ACol != 1 ? 2 : 1) / _mr), maxCols = Math.Max(1, TileCols / _nr / (_scratch ? _groups : 1));
        _rowBlocks = (_rowPanels + maxRows - 1) / maxRows;
        _colBlocks = (_panels + maxCols - 1) / maxCols;
        if (threads == 1) return;
        long work = (long)p.M * _nCols * _kSpan * _groups;
        // Every tile packs its rows of A, so columns are cut last there, and fewer tiles have to do.
        long wanted = (packsA ? 2L : 16L) * threads;
        while ((long)batches * _rowBlocks * _colBlocks < wanted && work / ((long)_rowBlocks * _colBlocks) > SmallestTile)
        {
            int rows = p.M / _rowBlocks, cols = _nCols / _colBlocks;
            bool moreCols = _colBlocks * 2 <= _panels, moreRows = _rowBlocks * 2 * _rowUnit <= _rowPanels;
            if (moreCols && (packsA ? rows < 4 * _mr : cols >= 2 * rows || !moreRows)) _colBlocks *= 2;
            else if (moreRows) _rowBlocks *= 2;
            else break;
        }
    }

    private int FirstRowPanel(int block) => Math.Min(_rowPanels, (int)((long)((_rowPanels + _rowUnit - 1) / _rowUnit) * block / _rowBlocks) * _rowUnit);

    private int Distinct(int outer, int inner, int group)
    {
        int o = _distinctOuter > 1 ? outer - _outer0 : 0, i = _distinctInner > 1 ? inner : 0, g = _distinctGroups > 1 ? group : 0;
        return (o * _distinctInner + i) * _distinctGroups + g;
    }

    private float* PanelAt(int distinct, int kb, int panel, int kc) =>
        _packed + (long)distinct * _kSpan * _padded + (long)(kb - _k0) * _kBlock * _padded + (long)panel * _nr * kc;

    /// <summary>Packs one panel of one K block of one B.</summary>
    private void Pack(int chunk)
    {
        ref readonly var p = ref _p;
        int panels = _edgeOnly ? 1 : _panels, panel = _edgeOnly ? _panels - 1 : chunk % panels;
        int rest = chunk / panels, kb = _k0 + rest % (_k1 - _k0), distinct = rest / (_k1 - _k0);
        int group = distinct % _distinctGroups, inner = distinct / _distinctGroups % _distinctInner, outer = distinct / _distinctGroups / _distinctInner;
        int k = kb * _kBlock, kc = Math.Min(_kBlock, p.K - k), col = panel * _nr, cols = Math.Min(_nr, _nCols - col);
        float* b = p.B + (_outer0 + outer) * p.B0 + inner * p.B1 + group * _bGroup + k * p.BRow + (_n0 + col) * p.BCol;
        GemmPack.B(PanelAt(distinct, kb, panel, kc), Pad(cols), b, p.BRow, p.BCol, kc, cols);
    }
}

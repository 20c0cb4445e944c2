namespace Sfn.Backends.Cpu;

/// <summary>
/// Few rows times row-major weights (decoding): every output is a dot product of two contiguous rows, the weights are read once
/// and not packed, and the work is split over their rows.
/// </summary>
internal sealed unsafe class SmallGemm : CpuJob
{
    [ThreadStatic] private static SmallGemm? t_mine;
    private GemmProblem _p;
    private int _rows, _chunks;   // rows of W per chunk, chunks per batch

    public static void Execute(in GemmProblem p, bool serial)
    {
        var job = t_mine ??= new SmallGemm();
        job._p = p;
        // About 256 KiB of weights a chunk; always whole groups of four rows, so that the split cannot change a result.
        job._rows = Math.Clamp(65536 / Math.Max(1, p.K) & ~3, 4, 256);
        job._chunks = (p.N + job._rows - 1) / job._rows;
        int chunks = job._chunks * p.Batch0 * p.Batch1;
        if (serial) for (int i = 0; i < chunks; i++) job.Run(i);
        else CpuPool.Run(job, chunks);
    }

    public override void Run(int chunk)
    {
        ref readonly var p = ref _p;
        int n0 = chunk % _chunks * _rows, count = Math.Min(_rows, p.N - n0);
        long b0 = chunk / _chunks / p.Batch1, b1 = chunk / _chunks % p.Batch1;
        float* x = p.A + b0 * p.A0 + b1 * p.A1;
        float* w = p.B + b0 * p.B0 + b1 * p.B1 + n0 * p.BCol;
        float* c = p.C + b0 * p.C0 + b1 * p.C1 + n0 * p.CCol;
        float* y = CpuScratch.Rent(ScratchUse.GemmTile, (p.M + 1) * 256 + 16);
        float* bias = null;
        if (p.Bias != null)
        {
            bias = y + p.M * 256;
            float* from = p.Bias + b0 * p.Bias0 + b1 * p.Bias1 + n0 * p.BiasStride;
            for (int n = 0; n < count; n++) bias[n] = from[n * p.BiasStride];
        }

        Dots(p, x, w, y, count);
        for (int m = 0; m < p.M; m++)
        {
            float* row = y + m * 256;
            float* to = c + m * p.CRow;
            if (p.Alpha != 1) for (int n = 0; n < count; n++) row[n] *= p.Alpha;
            if (p.Accumulate) for (int n = 0; n < count; n++) row[n] += to[n * p.CCol];
            if (p.HasEpilogue)
            {
                float* residual = p.Residual == null ? null : p.Residual + m * p.ResidualRow + n0 * p.CCol + b0 * p.C0 + b1 * p.C1;
                GemmEpilogue.Apply(row, 0, 1, count, bias, p.CCol == 1 ? residual : null, 0, p.Activation);
                if (residual != null && p.CCol != 1) for (int n = 0; n < count; n++) row[n] += residual[n * p.CCol];
            }
            if (p.CCol == 1) new ReadOnlySpan<float>(row, count).CopyTo(new Span<float>(to, count));
            else for (int n = 0; n < count; n++) to[n * p.CCol] = row[n];
        }
    }

    private static void Dots(in GemmProblem p, float* x, float* w, float* y, int count)
    {
        float* last = stackalloc float[16];
        for (int n = 0; n < count; n += 4)
        {
            bool whole = n + 4 <= count;
            // The last one to three rows of W are computed one by one, each as four equal rows: the same order of additions.
            for (int r = n; r < (whole ? n + 1 : count); r++)
            {
                for (int m = 0, step; m < p.M; m += step)
                {
                    int left = p.M - m;
                    step = left >= 4 && GemmKernels.DotRows >= 4 ? 4 : left >= 2 ? 2 : 1;
                    float* row = x + m * p.ARow;
                    if (whole) GemmKernels.Dot(step)(p.K, row, p.ARow, w + n * p.BCol, p.BCol, y + m * 256 + n, 256);
                    else
                    {
                        GemmKernels.Dot(step)(p.K, row, p.ARow, w + r * p.BCol, 0, last, 4);
                        for (int i = 0; i < step; i++) y[(m + i) * 256 + r] = last[4 * i];
                    }
                }
            }
        }
    }
}

using System.Numerics.Tensors;
using unsafe DotKernel = delegate*<long, float*, long, float*, long, float*, long, float*, void>;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Few rows times row-major weights (decoding): every output is a dot product of two contiguous rows, the weights are read once
/// and not packed, and the work is split over their rows.
/// </summary>
/// <remarks>
/// Memory is the limit here, and it is fastest when it is read in its own order, far enough ahead. So the kernels fetch the next four rows
/// of W into the second-level cache, line after line, while they multiply these four.
/// </remarks>
internal sealed unsafe class SmallGemm : CpuJob
{
    // A chunk of W: at most 256 KiB and 256 rows (the width of the scratch below); below 64 Ki weights the other threads would come too late.
    private const int ChunkFloats = 65536, MostRows = 256, SerialFloats = 65536;

    // The longest part of a row that is multiplied at once: four rows of x and four of W fill the first-level cache. A longer K is cut evenly.
    private const int MostK = 1024;

    // How far ahead of the multiplication W is fetched, at least: 12 KiB.
    private const int AheadFloats = 3072;

    [ThreadStatic] private static SmallGemm? t_mine;
    private GemmProblem _p;
    private int _rows, _chunks;   // rows of W per chunk, chunks per batch
    private int _interleave;      // row n of W belongs to batch n % _interleave
    private int _cuts, _k;        // parts of K and their length, which depend on K alone

    public static void Execute(in GemmProblem p, bool serial)
    {
        var job = t_mine ??= new SmallGemm();
        job._p = p;
        job._interleave = 1;
        ref var q = ref job._p;
        if (q.Batch1 > 1 && q.A1 == 0 && q.BCol == q.Batch1 * q.B1 && !q.HasEpilogue)
        {
            // Batches whose rows of W alternate in memory, and which share x, are one product read in the order of memory.
            job._interleave = q.Batch1;
            (q.N, q.BCol, q.Batch1) = (q.N * q.Batch1, q.B1, 1);
        }
        job._cuts = Math.Max(1, (q.K + MostK - 1) / MostK);
        job._k = ((q.K + job._cuts - 1) / job._cuts + 15) & ~15;
        long weights = (long)q.N * q.K * q.Batch0 * q.Batch1;
        serial |= weights < SerialFloats && weights * q.M < 1 << 20;
        // Always whole groups of four rows, so that the split cannot change a result. Some chunks per thread, so that both end together.
        long even = (long)q.N * q.Batch0 * q.Batch1 / (8L * CpuPool.Threads);
        job._rows = (int)Math.Clamp(Math.Min(even, ChunkFloats / Math.Max(1, q.K)) & ~3L, 4, MostRows);
        job._chunks = (q.N + job._rows - 1) / job._rows;
        int chunks = job._chunks * q.Batch0 * q.Batch1;
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
        float* c = p.C + b0 * p.C0 + b1 * p.C1;
        float* y = CpuScratch.Rent(ScratchUse.GemmTile, (p.M * _cuts + 1) * MostRows + 16);
        Dots(p, x, w, y, count);
        for (int cut = 1; cut < _cuts; cut++)
            for (int m = 0; m < p.M; m++) Add(y + (cut * p.M + m) * MostRows, y + m * MostRows, count);
        if (_interleave > 1)
        {
            for (int m = 0; m < p.M; m++) Scatter(p, y + m * MostRows, c + m * p.CRow, n0, count);
            return;
        }
        float* bias = null;
        if (p.Bias != null)
        {
            bias = y + p.M * MostRows;
            float* from = p.Bias + b0 * p.Bias0 + b1 * p.Bias1 + n0 * p.BiasStride;
            for (int n = 0; n < count; n++) bias[n] = from[n * p.BiasStride];
        }
        c += n0 * p.CCol;
        for (int m = 0; m < p.M; m++)
        {
            float* row = y + m * MostRows;
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

    // Row n of the merged product is column n / _interleave of batch n % _interleave.
    private void Scatter(in GemmProblem p, float* row, float* to, int n0, int count)
    {
        int batch = n0 % _interleave, column = n0 / _interleave;
        for (int n = 0; n < count; n++)
        {
            float* at = to + batch * p.C1 + column * p.CCol;
            *at = row[n] * p.Alpha + (p.Accumulate ? *at : 0);
            if (++batch == _interleave) (batch, column) = (0, column + 1);
        }
    }

    private static void Add(float* from, float* to, int count)
        => TensorPrimitives.Add(new ReadOnlySpan<float>(to, count), new ReadOnlySpan<float>(from, count), new Span<float>(to, count));

    private void Dots(in GemmProblem p, float* x, float* w, float* y, int count)
    {
        int most = p.M >= 4 && GemmKernels.DotRows >= 4 ? 4 : p.M >= 2 ? 2 : 1, whole = count & ~3;
        DotKernel first = p.M == 1 && _cuts == 1 ? GemmKernels.DotInOrder : GemmKernels.Dot(most);
        // Rows with gaps between them are not one run of memory to fetch ahead. Each further group of rows of x fetches from a little further on.
        bool dense = p.BCol == p.K;
        long ahead = Math.Max(4L * p.K, AheadFloats), further = 4L * _k * most / p.M & ~15L;
        for (int n = 0; n < whole; n += 4)
        {
            for (int k = 0, cut = 0; cut < _cuts; k += _k, cut++)
            {
                int length = Math.Min(_k, p.K - k), m = 0;
                float* rows = w + n * p.BCol, next = dense ? rows + ahead + 4L * k : rows, to = y + (nint)cut * p.M * MostRows + n;
                for (; m + most <= p.M; m += most)
                {
                    first(length, x + m * p.ARow + k, p.ARow, rows + k, p.BCol, to + m * MostRows, MostRows, next);
                    if (dense) next += further;
                }
                for (int step = most / 2; m < p.M; m += step)
                {
                    while (m + step > p.M) step /= 2;
                    GemmKernels.Dot(step)(length, x + m * p.ARow + k, p.ARow, rows + k, p.BCol, to + m * MostRows, MostRows, next);
                }
            }
        }
        if (whole < count) Last(p, x, w, y, whole, count);
    }

    // The last one to three rows of W are computed one by one, each as four equal rows: the same order of additions.
    private void Last(in GemmProblem p, float* x, float* w, float* y, int n, int count)
    {
        float* four = stackalloc float[4];
        for (; n < count; n++)
        {
            for (int k = 0, cut = 0; cut < _cuts; k += _k, cut++)
            {
                float* row = w + n * p.BCol + k;
                for (int m = 0; m < p.M; m++)
                {
                    GemmKernels.Dot(1)(Math.Min(_k, p.K - k), x + m * p.ARow + k, 0, row, 0, four, 0, row);
                    y[(cut * p.M + m) * MostRows + n] = *four;
                }
            }
        }
    }
}

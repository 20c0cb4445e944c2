namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>In which direction a kernel reads each operand; see <see cref="IDirection"/>.</summary>
internal readonly record struct MatMulDirections(bool AAlongSteps, bool BAlongSteps)
{
    /// <summary>The directions of a product, and in p whether quads fit.</summary>
    public static MatMulDirections Of(ref MatMulParameters p, long a, long b, long c, long residual)
    {
        bool batched0 = p.Batch0 > 1, batched1 = p.Batch1 > 1;
        bool evenA = Even(a) && (!batched0 || Even(p.ABatch0)) && (!batched1 || Even(p.ABatch1));
        bool evenB = Even(b) && (!batched0 || Even(p.BBatch0)) && (!batched1 || Even(p.BBatch1));
        var (stepsA, quadsA) = Of(p.M, p.K, p.ARow, p.AColumn, evenA);
        var (stepsB, quadsB) = Of(p.N, p.K, p.BColumn, p.BRow, evenB);
        bool quadsC = Fits(p.N, p.M, p.CColumn, p.CRow, Even(c) && (!batched0 || Even(p.CBatch0)) && (!batched1 || Even(p.CBatch1)));
        if (p.HasResidual != 0)
            quadsC &= Fits(p.N, p.M, p.ResidualColumn, p.ResidualRow,
                Even(residual) && (!batched0 || Even(p.ResidualBatch0)) && (!batched1 || Even(p.ResidualBatch1)));
        p.AVector = quadsA ? 1 : 0;
        p.BVector = quadsB ? 1 : 0;
        p.CVector = quadsC ? 1 : 0;
        return new(stepsA, stepsB);
    }

    // Along whichever dimension quads fit, else along the one with the smaller stride: its neighbours share sectors of memory.
    private static (bool AlongSteps, bool Quads) Of(int lines, int steps, long line, long step, bool even)
    {
        if (Fits(steps, lines, step, line, even)) return (true, true);
        if (Fits(lines, steps, line, step, even)) return (false, true);
        if (lines == 1 || steps == 1) return (lines == 1, false);
        return (step <= line, false);
    }

    private static bool Fits(int along, int across, long step, long other, bool even) => even && step == 1 && along % 4 == 0 && (across == 1 || Even(other));

    private static bool Even(long x) => x % 4 == 0;
}

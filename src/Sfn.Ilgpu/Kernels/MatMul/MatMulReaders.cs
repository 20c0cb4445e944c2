namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>How a kernel reads an operand; see <see cref="IReader"/>.</summary>
internal enum MatMulReader
{
    /// <summary><see cref="Kernels.StepQuads"/>.</summary>
    StepQuads,
    /// <summary><see cref="Kernels.LineQuads"/>.</summary>
    LineQuads,
    /// <summary><see cref="Kernels.StepSingles"/>.</summary>
    StepSingles,
    /// <summary><see cref="Kernels.LineSingles"/>.</summary>
    LineSingles,
}

/// <summary>The readers of both operands, and whether c is stored by quads.</summary>
internal readonly record struct MatMulReaders(MatMulReader A, MatMulReader B, bool StoresQuads)
{
    /// <summary>Whether b is read along k, and its columns one by one.</summary>
    public bool BAlongSteps => B is MatMulReader.StepQuads or MatMulReader.StepSingles;

    /// <summary>What a product's strides allow; a, b, c and residual are the offsets of their first elements.</summary>
    public static MatMulReaders Of(in MatMulParameters p, long a, long b, long c, long residual)
    {
        bool batched0 = p.Batch0 > 1, batched1 = p.Batch1 > 1;
        bool evenA = Even(a) && (!batched0 || Even(p.ABatch0)) && (!batched1 || Even(p.ABatch1));
        bool evenB = Even(b) && (!batched0 || Even(p.BBatch0)) && (!batched1 || Even(p.BBatch1));
        bool stores = Fits(p.N, p.M, p.CColumn, p.CRow, Even(c) && (!batched0 || Even(p.CBatch0)) && (!batched1 || Even(p.CBatch1)));
        if (p.HasResidual != 0)
            stores &= Fits(p.N, p.M, p.ResidualColumn, p.ResidualRow,
                Even(residual) && (!batched0 || Even(p.ResidualBatch0)) && (!batched1 || Even(p.ResidualBatch1)));
        return new(Of(p.M, p.K, p.ARow, p.AColumn, evenA), Of(p.N, p.K, p.BColumn, p.BRow, evenB), stores);
    }

    // By quads where they fit, else along the dimension with the smaller stride: its neighbours share sectors of memory.
    private static MatMulReader Of(int lines, int steps, long line, long step, bool even)
    {
        if (Fits(steps, lines, step, line, even)) return MatMulReader.StepQuads;
        if (Fits(lines, steps, line, step, even)) return MatMulReader.LineQuads;
        return lines == 1 || (steps > 1 && step <= line) ? MatMulReader.StepSingles : MatMulReader.LineSingles;
    }

    private static bool Fits(int along, int across, long step, long other, bool even) => even && step == 1 && along % 4 == 0 && (across == 1 || Even(other));

    private static bool Even(long x) => x % 4 == 0;
}

namespace Sfn.Backends.Cpu;

/// <summary>
/// Matrix products in float32. The sum over K is cut at places that depend on K alone, so a result is bit-equal whatever the
/// number of threads, and a row of a large product does not depend on how many rows there are.
/// </summary>
internal static class Gemm
{
    /// <summary>Rows up to which a product with row-major weights (B = W^T) goes through dot products instead of packing.</summary>
    public const int SmallRows = 16;

    /// <summary>The same for K so long that the final sums across a vector do not weigh.</summary>
    public const int SmallRowsLongK = 64, LongK = 256;

    // Below about 2 MFLOP the other threads would wake up too late to help.
    private const long SerialWork = 1 << 20;

    /// <summary>Computes the product on all threads of <see cref="CpuPool"/>.</summary>
    public static void Run(in GemmProblem p) => Dispatch(p, serial: false);

    /// <summary>Computes the product on the calling thread with its own scratch; for use inside chunks of a pool job.</summary>
    public static void RunSerial(in GemmProblem p) => Dispatch(p, serial: true);

    private static unsafe void Dispatch(GemmProblem p, bool serial)
    {
        if (p.M <= 0 || p.N <= 0 || p.Batch0 <= 0 || p.Batch1 <= 0) return;
        // The stride of a dimension of one element means nothing; 1 keeps it on the fast paths.
        if (p.M == 1) p.ARow = p.CRow = 1;
        if (p.K == 1) p.ACol = p.BRow = 1;
        if (p.N == 1)
        {
            p.BCol = p.CCol = 1;
            if (p.M == 1 || p.CRow == 1) p.CRow = 1;
        }
        if (p.BiasStride == 0) p.BiasStride = 1;
        // A result stored by columns, or a single column, is the transposed product.
        bool columns = p.CRow == 1 && p.CCol != 1 && p.M > 1;
        if ((columns || (p.N == 1 && p.M > 1)) && p.Bias == null && p.Residual == null) p = Transpose(p);

        if (p.M <= (p.K < LongK ? SmallRows : SmallRowsLongK) && p.BRow == 1 && p.ACol == 1) SmallGemm.Execute(p, serial);
        else PackedGemm.Execute(p, serial || (long)p.M * p.N * p.K * p.Batch0 * p.Batch1 < SerialWork);
    }

    private static unsafe GemmProblem Transpose(GemmProblem p)
    {
        (p.M, p.N) = (p.N, p.M);
        float* a = p.A;
        p.A = p.B;
        p.B = a;
        (p.ARow, p.ACol, p.BRow, p.BCol) = (p.BCol, p.BRow, p.ACol, p.ARow);
        (p.CRow, p.CCol) = (p.CCol, p.CRow);
        (p.A0, p.A1, p.B0, p.B1) = (p.B0, p.B1, p.A0, p.A1);
        return p;
    }
}

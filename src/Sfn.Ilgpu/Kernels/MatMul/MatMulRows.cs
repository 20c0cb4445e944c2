using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>How many rows of a a thread multiplies with what it reads of b.</summary>
internal interface IRowCount
{
    static abstract int Rows { get; }
}

internal readonly struct OneRow : IRowCount
{
    public static int Rows => 1;
}

internal readonly struct FourRows : IRowCount
{
    public static int Rows => 4;
}

internal readonly struct EightRows : IRowCount
{
    public static int Rows => 8;
}

/// <summary>
/// c = a·b for few rows of a, where reading b is the work: b is read once, four steps of one column at a time. 64 threads share a column; their sums
/// are added as a tree, always the same.
/// </summary>
internal readonly struct MatMulRowsK<TRows, A, QA, B, QB, C> : IKernel
    where TRows : IRowCount
    where A : unmanaged, IElement<A> where QA : unmanaged, IQuad<QA, A>
    where B : unmanaged, IElement<B> where QB : unmanaged, IQuad<QB, B>
    where C : unmanaged, IElement<C>
{
    /// <summary>Columns per group.</summary>
    public const int Columns = 4;

    private const int Share = IKernel.Threads / Columns;

    public static string Name => $"matmul_{A.Name}_{B.Name}_k_{C.Name}_rows{TRows.Rows}";

    public static KernelSpecialization Bounds => new(IKernel.Threads, 2);

    public static Delegate Body => (Action<MatMulParameters, ArrayView<A>, ArrayView<B>, ArrayView<C>, ArrayView<F32>, ArrayView<C>>)Run;

    private static void Run(MatMulParameters p, ArrayView<A> a, ArrayView<B> b, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
    {
        var shared = SharedMemory.Allocate<float>(IKernel.Threads * TRows.Rows);
        var sums = LocalMemory.Allocate<float>(TRows.Rows);
        int t = Group.IdxX, lane = t & Share - 1;
        var place = TilePlace.Of(p, TRows.Rows, Columns);
        int column = place.N + t / Share, n = column < p.N ? column : p.N - 1;
        long atB = place.Batch0 * p.BBatch0 + place.Batch1 * p.BBatch1 + n * p.BColumn;
        // Rows past the matrix repeat its last one.
        int more = p.M - 1 - place.M;
        long atA = place.Batch0 * p.ABatch0 + place.Batch1 * p.ABatch1 + place.M * p.ARow;
        for (int i = 0; i < TRows.Rows; i++) sums[i] = 0;
        if (p.Quads != 0)
        {
            for (int k = place.Begin + 4 * lane; k < place.End; k += 4 * Share)
            {
                QB y = b.Cast<QB>()[(atB + k) >> 2];
                for (int i = 0; i < TRows.Rows; i++)
                {
                    QA x = a.Cast<QA>()[(atA + (i < more ? i : more) * p.ARow + k) >> 2];
                    float sum = QA.A(x).V * QB.A(y).V + sums[i];
                    sum = QA.B(x).V * QB.B(y).V + sum;
                    sum = QA.C(x).V * QB.C(y).V + sum;
                    sums[i] = QA.D(x).V * QB.D(y).V + sum;
                }
            }
        }
        else
        {
            for (int k = place.Begin + lane; k < place.End; k += Share)
            {
                float y = B.Load(b[atB + k * p.BRow]).V;
                for (int i = 0; i < TRows.Rows; i++) sums[i] = A.Load(a[atA + (i < more ? i : more) * p.ARow + k * p.AColumn]).V * y + sums[i];
            }
        }
        for (int i = 0; i < TRows.Rows; i++) shared[i * IKernel.Threads + t] = sums[i];
        for (int half = Share / 2; half > 0; half >>= 1)
        {
            Group.Barrier();
            if (lane < half)
                for (int i = 0; i < TRows.Rows; i++) shared[i * IKernel.Threads + t] += shared[i * IKernel.Threads + t + half];
        }
        Group.Barrier();
        if (lane >= TRows.Rows || place.M + lane >= p.M || column >= p.N) return;
        TileStore.PutOne(p, place, place.M + lane, column, new(shared[lane * IKernel.Threads + t - lane]), c, bias, residual);
    }
}

/// <summary>The same where four columns of b lie side by side: 8 threads read 32 columns of one step, and 32 of such eights share the steps.</summary>
internal readonly struct MatMulRowsN<TRows, A, QA, B, QB, C> : IKernel
    where TRows : IRowCount
    where A : unmanaged, IElement<A> where QA : unmanaged, IQuad<QA, A>
    where B : unmanaged, IElement<B> where QB : unmanaged, IQuad<QB, B>
    where C : unmanaged, IElement<C>
{
    /// <summary>Columns per group.</summary>
    public const int Columns = 32;

    private const int Across = Columns / 4, Share = IKernel.Threads / Across;

    public static string Name => $"matmul_{A.Name}_{B.Name}_r_{C.Name}_rows{TRows.Rows}";

    public static KernelSpecialization Bounds => new(IKernel.Threads, 2);

    public static Delegate Body => (Action<MatMulParameters, ArrayView<A>, ArrayView<B>, ArrayView<C>, ArrayView<F32>, ArrayView<C>>)Run;

    private static void Run(MatMulParameters p, ArrayView<A> a, ArrayView<B> b, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
    {
        var shared = SharedMemory.Allocate<float>(4 * IKernel.Threads * TRows.Rows);
        var sums = LocalMemory.Allocate<float>(4 * TRows.Rows);
        int t = Group.IdxX, slice = t / Across;
        var place = TilePlace.Of(p, TRows.Rows, Columns);
        int n = place.N + (t & Across - 1) * 4;
        long atB = place.Batch0 * p.BBatch0 + place.Batch1 * p.BBatch1;
        // Rows and columns past the matrix repeat its last ones.
        int more = p.M - 1 - place.M;
        long atA = place.Batch0 * p.ABatch0 + place.Batch1 * p.ABatch1 + place.M * p.ARow;
        for (int i = 0; i < 4 * TRows.Rows; i++) sums[i] = 0;
        if (p.Quads != 0)
        {
            atB += n < p.N - 4 ? n : p.N - 4;
            for (int k = place.Begin + slice; k < place.End; k += Share)
            {
                QB y = b.Cast<QB>()[(atB + k * p.BRow) >> 2];
                for (int i = 0; i < TRows.Rows; i++)
                {
                    float x = A.Load(a[atA + (i < more ? i : more) * p.ARow + k * p.AColumn]).V;
                    sums[4 * i] = x * QB.A(y).V + sums[4 * i];
                    sums[4 * i + 1] = x * QB.B(y).V + sums[4 * i + 1];
                    sums[4 * i + 2] = x * QB.C(y).V + sums[4 * i + 2];
                    sums[4 * i + 3] = x * QB.D(y).V + sums[4 * i + 3];
                }
            }
        }
        else
        {
            int last = p.N - 1;
            long n0 = (n < last ? n : last) * p.BColumn, n1 = (n + 1 < last ? n + 1 : last) * p.BColumn;
            long n2 = (n + 2 < last ? n + 2 : last) * p.BColumn, n3 = (n + 3 < last ? n + 3 : last) * p.BColumn;
            for (int k = place.Begin + slice; k < place.End; k += Share)
            {
                long at = atB + k * p.BRow;
                float y0 = B.Load(b[at + n0]).V, y1 = B.Load(b[at + n1]).V, y2 = B.Load(b[at + n2]).V, y3 = B.Load(b[at + n3]).V;
                for (int i = 0; i < TRows.Rows; i++)
                {
                    float x = A.Load(a[atA + (i < more ? i : more) * p.ARow + k * p.AColumn]).V;
                    sums[4 * i] = x * y0 + sums[4 * i];
                    sums[4 * i + 1] = x * y1 + sums[4 * i + 1];
                    sums[4 * i + 2] = x * y2 + sums[4 * i + 2];
                    sums[4 * i + 3] = x * y3 + sums[4 * i + 3];
                }
            }
        }
        // [row][slice][column]: what is to be added to a slice lies half·32 further on.
        for (int i = 0; i < TRows.Rows; i++)
            for (int j = 0; j < 4; j++) shared[4 * (i * IKernel.Threads + t) + j] = sums[4 * i + j];
        for (int half = Share / 2; half > 0; half >>= 1)
        {
            Group.Barrier();
            if (slice < half)
                for (int i = 0; i < TRows.Rows; i++)
                    for (int j = 0; j < 4; j++)
                        shared[4 * (i * IKernel.Threads + t) + j] += shared[4 * (i * IKernel.Threads + t + half * Across) + j];
        }
        Group.Barrier();
        int row = t / Columns, column = place.N + (t & Columns - 1);
        if (row >= TRows.Rows || place.M + row >= p.M || column >= p.N) return;
        TileStore.PutOne(p, place, place.M + row, column, new(shared[4 * row * IKernel.Threads + (t & Columns - 1)]), c, bias, residual);
    }
}

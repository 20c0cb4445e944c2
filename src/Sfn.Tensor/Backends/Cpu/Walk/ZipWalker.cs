using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Walks an op of two inputs over a matrix of results. Inputs broadcast: their row stride is any (0 repeats one row), their column stride
/// 1 or 0 (0 repeats one element). Results, y, dy and gradients are contiguous.
/// </summary>
internal static unsafe class ZipWalker
{
    /// <summary>y = f(a, b).</summary>
    public static void Forward<TOp>(TOp op, float* a, float* b, float* y,
        long rows, long cols, long aRow, long aCol, long bRow, long bCol)
        where TOp : struct, IBinary =>
        Run<TOp, ForwardPart>(op, a, b, null, null, y, rows, cols, aRow, aCol, bRow, bCol);

    /// <summary>da = ∂f/∂a·dy at the shape of y; the caller sums broadcasts. a, b or y is null where the op does not keep it.</summary>
    public static void BackwardA<TOp>(TOp op, float* a, float* b, float* y, float* dy, float* da,
        long rows, long cols, long aRow, long aCol, long bRow, long bCol)
        where TOp : struct, IBinary =>
        Run<TOp, BackwardAPart>(op, a, b, y, dy, da, rows, cols, aRow, aCol, bRow, bCol);

    /// <summary>db = ∂f/∂b·dy at the shape of y; the caller sums broadcasts. a, b or y is null where the op does not keep it.</summary>
    public static void BackwardB<TOp>(TOp op, float* a, float* b, float* y, float* dy, float* db,
        long rows, long cols, long aRow, long aCol, long bRow, long bCol)
        where TOp : struct, IBinary =>
        Run<TOp, BackwardBPart>(op, a, b, y, dy, db, rows, cols, aRow, aCol, bRow, bCol);

    private static void Run<TOp, TPart>(TOp op, float* a, float* b, float* y, float* dy, float* target,
        long rows, long cols, long aRow, long aCol, long bRow, long bCol) where TOp : struct, IBinary where TPart : struct, IPart
    {
        if (a == null)
        {
            a = dy;
            (aRow, aCol) = (cols, 1);
        }
        if (b == null)
        {
            b = dy;
            (bRow, bCol) = (cols, 1);
        }
        if (cols == 1 && rows > 1 && IsStep(aRow) && IsStep(bRow))
        {
            // A single column is walked as a row.
            (rows, cols) = (1, rows);
            (aRow, aCol, bRow, bCol) = (0, aRow, 0, bRow);
        }
        else if (rows > 1 && Flat(aRow, aCol, cols) && Flat(bRow, bCol, cols))
        {
            cols *= rows;
            rows = 1;
        }
        if (rows <= 0 || cols <= 0) return;
        if (target != a && target != b && target != y && target != dy && Streaming.Pays(rows * cols, cols))
            Run<TOp, TPart, Streamed>(op, a, b, y, dy, target, rows, cols, aRow, aCol, bRow, bCol, Streaming.Chunk);
        else Run<TOp, TPart, Cached>(op, a, b, y, dy, target, rows, cols, aRow, aCol, bRow, bCol, Chunked.Elements);

        static bool IsStep(long stride) => stride is 0 or 1;
        static bool Flat(long row, long col, long cols) => col == 1 ? row == cols : row == 0;
    }

    private static void Run<TOp, TPart, TStore>(TOp op, float* a, float* b, float* y, float* dy, float* target,
        long rows, long cols, long aRow, long aCol, long bRow, long bCol, long piece)
        where TOp : struct, IBinary where TPart : struct, IPart where TStore : struct, IStore
    {
        long pieces = (cols + piece - 1) / piece;
        var kernel = new Kernel<TOp, TPart, TStore>
        {
            Op = op,
            A = a,
            B = b,
            Y = y == null ? dy : y,
            Dy = dy,
            Target = target,
            Cols = cols,
            ARow = aRow,
            BRow = bRow,
            ADense = aCol == 1,
            BDense = bCol == 1,
            Pieces = pieces,
            Piece = piece,
        };
        Chunked.Run(kernel, rows * pieces, Math.Max(1, piece / cols));
    }

    /// <summary>Which of the three bodies of a binary op is walked.</summary>
    internal interface IPart
    {
        static abstract bool Gradient { get; }

        static abstract L Of<TOp, L>(TOp op, L a, L b, L y, L dy) where TOp : struct, IBinary where L : struct, ILane<L>;
    }

    internal struct ForwardPart : IPart
    {
        public static bool Gradient => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static L Of<TOp, L>(TOp op, L a, L b, L y, L dy) where TOp : struct, IBinary where L : struct, ILane<L> => op.Forward(a, b);
    }

    internal struct BackwardAPart : IPart
    {
        public static bool Gradient => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static L Of<TOp, L>(TOp op, L a, L b, L y, L dy) where TOp : struct, IBinary where L : struct, ILane<L> => op.BackwardA(a, b, y, dy);
    }

    internal struct BackwardBPart : IPart
    {
        public static bool Gradient => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static L Of<TOp, L>(TOp op, L a, L b, L y, L dy) where TOp : struct, IBinary where L : struct, ILane<L> => op.BackwardB(a, b, y, dy);
    }

    private struct Kernel<TOp, TPart, TStore> : IRangeKernel where TOp : struct, IBinary where TPart : struct, IPart where TStore : struct, IStore
    {
        public TOp Op;
        public float* A, B, Y, Dy, Target;
        public long Cols, ARow, BRow, Pieces, Piece;
        public bool ADense, BDense;

        public readonly void Range(long begin, long count)
        {
            for (long item = begin; item < begin + count; item++)
            {
                long row = item / Pieces, from = (item - row * Pieces) * Piece;
                long n = Pieces == 1 ? Cols : Math.Min(Piece, Cols - from);
                float* a = A + row * ARow + (ADense ? from : 0), b = B + row * BRow + (BDense ? from : 0);
                long at = row * Cols + from;
                float* y = TPart.Gradient ? Y + at : null, dy = TPart.Gradient ? Dy + at : null;
                if (Vector512.IsHardwareAccelerated) Row<TOp, TPart, TStore, Two<F16>>(Op, a, ADense, b, BDense, y, dy, Target + at, n);
                else if (Vector256.IsHardwareAccelerated) Row<TOp, TPart, TStore, Two<F8>>(Op, a, ADense, b, BDense, y, dy, Target + at, n);
                else if (Vector128.IsHardwareAccelerated) Row<TOp, TPart, TStore, Two<F4>>(Op, a, ADense, b, BDense, y, dy, Target + at, n);
                else Row<TOp, TPart, TStore, F1>(Op, a, ADense, b, BDense, y, dy, Target + at, n);
            }
            if (TStore.Streams) Streaming.Fence();
        }
    }

    /// <summary>One row on this thread, on a lane of choice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Row<TOp, TPart, TStore, L>(TOp op, float* a, bool aDense, float* b, bool bDense, float* y, float* dy, float* target, long n)
        where TOp : struct, IBinary where TPart : struct, IPart where TStore : struct, IStore where L : struct, IVectorLane<L>
    {
        long i = 0;
        if (TStore.Streams)
        {
            i = Streaming.Head(target, n);
            Row<TOp, TPart, Cached, L>(op, a, aDense, b, bDense, y, dy, target, i);
        }
        for (; i <= n - L.Width; i += L.Width)
        {
            L va = aDense ? L.Load(a + i) : L.Of(*a);
            L vb = bDense ? L.Load(b + i) : L.Of(*b);
            L vy = TPart.Gradient ? L.Load(y + i) : default, vdy = TPart.Gradient ? L.Load(dy + i) : default;
            TStore.Put(TPart.Of(op, va, vb, vy, vdy), target + i);
        }
        if (i == n) return;
        if (aDense) a += i;
        if (bDense) b += i;
        RowTail<TOp, TPart, L>(op, a, aDense, b, bDense, y + i, dy + i, target + i, (int)(n - i));
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RowTail<TOp, TPart, L>(TOp op, float* a, bool aDense, float* b, bool bDense, float* y, float* dy, float* target, int count)
        where TOp : struct, IBinary where TPart : struct, IPart where L : struct, IVectorLane<L>
    {
        float* lanes = stackalloc float[4 * Tail.MaxWidth];
        float* la = lanes, lb = la + Tail.MaxWidth, ly = lb + Tail.MaxWidth, ldy = ly + Tail.MaxWidth;
        Tail.Copy(a, la, aDense ? count : 1);
        Tail.Copy(b, lb, bDense ? count : 1);
        if (TPart.Gradient)
        {
            Tail.Copy(y, ly, count);
            Tail.Copy(dy, ldy, count);
        }
        Row<TOp, TPart, Cached, L>(op, la, aDense, lb, bDense, ly, ldy, ly, L.Width);
        Tail.Copy(ly, target, count);
    }
}

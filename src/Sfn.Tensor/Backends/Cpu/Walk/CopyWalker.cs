using System.Numerics.Tensors;

namespace Sfn.Backends.Cpu;

/// <summary>Copies, adds or fills float32 elements between views of any strides, run by run on the pool.</summary>
internal static unsafe class CopyWalker
{
    /// <summary>y := x, or y += x if <paramref name="add"/>; offsets are in elements.</summary>
    public static void Run(in Shape shape, float* x, in Strides xs, float* y, in Strides ys, bool add)
    {
        if (shape.Count == 0) return;
        var kernel = new Kernel { Dims = Collapsed.Of(shape, xs, ys, ys), X = x, Y = y, Add = add };
        long columns = kernel.Dims.Columns;
        if (kernel.Dims.Rank == 1 && kernel.Dims.A[0] == 1 && kernel.Dims.B[0] == 1)
            Chunked.Run(new FlatKernel { X = x, Y = y, Add = add }, columns, 4 * Chunked.Elements);
        else
            Chunked.Run(kernel, kernel.Dims.Rows, Chunked.Rows(columns));
    }

    private static void Dense(float* x, float* y, long n, bool add)
    {
        // Spans are limited to int lengths.
        for (long at = 0; at < n; at += 1 << 30)
        {
            int count = (int)Math.Min(1 << 30, n - at);
            var from = new ReadOnlySpan<float>(x + at, count);
            var to = new Span<float>(y + at, count);
            if (add) TensorPrimitives.Add(from, to, to);
            else from.CopyTo(to);
        }
    }

    private struct FlatKernel : IRangeKernel
    {
        public float* X, Y;
        public bool Add;

        public readonly void Range(long begin, long count) => Dense(X + begin, Y + begin, count, Add);
    }

    private struct Kernel : IRangeKernel
    {
        public Collapsed Dims;
        public float* X, Y;
        public bool Add;

        public readonly void Range(long begin, long count)
        {
            long columns = Dims.Columns, sx = Dims.A[Dims.Rank - 1], sy = Dims.B[Dims.Rank - 1];
            for (long row = begin; row < begin + count; row++)
            {
                var (a, b, _) = Dims.Row(row);
                float* x = X + a, y = Y + b;
                if (sx == 1 && sy == 1) Dense(x, y, columns, Add);
                else if (Add) for (long i = 0; i < columns; i++) y[i * sy] += x[i * sx];
                else for (long i = 0; i < columns; i++) y[i * sy] = x[i * sx];
            }
        }
    }
}

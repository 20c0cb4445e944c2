using System.Runtime.Intrinsics;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Rotary position embedding over the whole head dim in the half-split (NeoX) layout: element i turns with element i + headDim/2 by
/// position · frequency[i] (Su et al. 2021, arXiv 2104.09864).
/// </summary>
internal static unsafe class RopeWalker
{
    private const int ElementsPerChunk = 16384;
    [ThreadStatic] private static Job? t_job;

    /// <summary>
    /// y[b, t, h] = rotation of x[b, t, h] by the angles of position startPosition + t. Strides in elements, the head dim has stride 1;
    /// y may be x. Tables are [positions, headDim/2]. <paramref name="inverse"/> turns by the negative angle: the gradient of the forward.
    /// </summary>
    /// <exception cref="ArgumentException">The head dim is odd.</exception>
    public static void Run(
        float* x, long xBatch, long xToken, long xHead, float* y, long yBatch, long yToken, long yHead,
        int batch, int tokens, int heads, int headDim, int startPosition, float* cosTable, float* sinTable, bool inverse) =>
        Start(x, xBatch, xToken, xHead, y, yBatch, yToken, yHead, batch, tokens, heads, headDim, null, startPosition, cosTable, sinTable, inverse);

    /// <summary>As above with one start position per batch element, startPositions [batch].</summary>
    /// <exception cref="ArgumentException">The head dim is odd.</exception>
    public static void Run(
        float* x, long xBatch, long xToken, long xHead, float* y, long yBatch, long yToken, long yHead,
        int batch, int tokens, int heads, int headDim, int* startPositions, float* cosTable, float* sinTable, bool inverse) =>
        Start(x, xBatch, xToken, xHead, y, yBatch, yToken, yHead, batch, tokens, heads, headDim, startPositions, 0, cosTable, sinTable, inverse);

    private static void Start(
        float* x, long xBatch, long xToken, long xHead, float* y, long yBatch, long yToken, long yHead,
        int batch, int tokens, int heads, int headDim, int* starts, int start, float* cosTable, float* sinTable, bool inverse)
    {
        if ((headDim & 1) != 0)
            throw new ArgumentException($"Rotary embedding turns pairs, but the head dim is {headDim}; choose an even head dim.");
        long rows = (long)batch * tokens;
        if (rows == 0 || heads == 0 || headDim == 0) return;
        var job = t_job ??= new Job();
        job.X = x;
        job.XBatch = xBatch;
        job.XToken = xToken;
        job.XHead = xHead;
        job.Y = y;
        job.YBatch = yBatch;
        job.YToken = yToken;
        job.YHead = yHead;
        job.Tokens = tokens;
        job.Heads = heads;
        job.HeadDim = headDim;
        job.Starts = starts;
        job.Start = start;
        job.Cos = cosTable;
        job.Sin = sinTable;
        job.Inverse = inverse;
        job.Rows = rows;
        job.RowsPerChunk = Math.Max(1, ElementsPerChunk / ((long)heads * headDim));
        CpuPool.Run(job, checked((int)((rows + job.RowsPerChunk - 1) / job.RowsPerChunk)));
    }

    private sealed class Job : CpuJob
    {
        public float* X, Y, Cos, Sin;
        public int* Starts;
        public long XBatch, XToken, XHead, YBatch, YToken, YHead, Rows, RowsPerChunk;
        public int Tokens, Heads, HeadDim, Start;
        public bool Inverse;

        public override void Run(int chunk)
        {
            int half = HeadDim / 2;
            long end = Math.Min(Rows, (chunk + 1) * RowsPerChunk);
            for (long row = chunk * RowsPerChunk; row < end; row++)
            {
                long b = row / Tokens, t = row % Tokens;
                long position = (Starts != null ? Starts[b] : Start) + t;
                float* cos = Cos + position * half, sin = Sin + position * half;
                for (int h = 0; h < Heads; h++)
                    Turn(X + b * XBatch + t * XToken + h * XHead, Y + b * YBatch + t * YToken + h * YHead, cos, sin, half, Inverse ? -1f : 1f);
            }
        }
    }

    /// <summary>y = (x₁ cos − x₂ sin, x₂ cos + x₁ sin) with the sine times <paramref name="sign"/>.</summary>
    private static void Turn(float* x, float* y, float* cos, float* sin, int half, float sign)
    {
        int i = 0;
        if (Vector512.IsHardwareAccelerated) i = Vectors<Simd512, Vector512<float>>(x, y, cos, sin, half, i, sign);
        if (Vector256.IsHardwareAccelerated) i = Vectors<Simd256, Vector256<float>>(x, y, cos, sin, half, i, sign);
        i = Vectors<Simd128, Vector128<float>>(x, y, cos, sin, half, i, sign);
        for (; i < half; i++)
        {
            float a = x[i], b = x[half + i], c = cos[i], s = sin[i] * sign;
            y[i] = a * c - b * s;
            y[half + i] = b * c + a * s;
        }
    }

    private static int Vectors<S, V>(float* x, float* y, float* cos, float* sin, int half, int i, float sign) where S : struct, ISimd<V> where V : struct
    {
        V signs = S.Splat(sign);
        for (; i + S.Width <= half; i += S.Width)
        {
            V a = S.Load(x + i), b = S.Load(x + half + i), c = S.Load(cos + i), s = S.Mul(S.Load(sin + i), signs);
            S.Store(y + i, S.Sub(S.Mul(a, c), S.Mul(b, s)));
            S.Store(y + half + i, S.Fma(a, s, S.Mul(b, c)));
        }
        return i;
    }
}

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Sfn.Backends.Cpu;

/// <summary>How elements of one type become, or are added to, elements of another.</summary>
internal unsafe interface IConversion<TX, TY> where TX : unmanaged where TY : unmanaged
{
    /// <summary>The new element at <paramref name="y"/>, from x and what y holds.</summary>
    static abstract TY One(TX x, TY y);

    /// <summary>The same for n neighbours, as many whole vectors as fit; returns how many elements that were.</summary>
    static abstract long Vectors(TX* x, TY* y, long n);
}

/// <summary>Copies or adds between views of any strides where bfloat16 takes part, run by run on the pool.</summary>
internal static unsafe class ConvertWalker
{
    /// <summary>y := conversion of x (and y); offsets are in elements.</summary>
    public static void Run<T, TX, TY>(in View x, in View y) where T : struct, IConversion<TX, TY> where TX : unmanaged where TY : unmanaged
    {
        if (y.Count == 0) return;
        var kernel = new Kernel<T, TX, TY> { Dims = Collapsed.Of(y.Shape, x.Strides, y.Strides, y.Strides), X = (TX*)x.Pointer, Y = (TY*)y.Pointer };
        long columns = kernel.Dims.Columns;
        if (kernel.Dims.Rank == 1 && kernel.Dims.A[0] == 1 && kernel.Dims.B[0] == 1)
            Chunked.Run(new FlatKernel<T, TX, TY> { X = kernel.X, Y = kernel.Y }, columns, 4 * Chunked.Elements);
        else
            Chunked.Run(kernel, kernel.Dims.Rows, Chunked.Rows(columns));
    }

    private static void Dense<T, TX, TY>(TX* x, TY* y, long n) where T : struct, IConversion<TX, TY> where TX : unmanaged where TY : unmanaged
    {
        for (long i = T.Vectors(x, y, n); i < n; i++) y[i] = T.One(x[i], y[i]);
    }

    private struct FlatKernel<T, TX, TY> : IRangeKernel where T : struct, IConversion<TX, TY> where TX : unmanaged where TY : unmanaged
    {
        public TX* X;
        public TY* Y;

        public readonly void Range(long begin, long count) => Dense<T, TX, TY>(X + begin, Y + begin, count);
    }

    private struct Kernel<T, TX, TY> : IRangeKernel where T : struct, IConversion<TX, TY> where TX : unmanaged where TY : unmanaged
    {
        public Collapsed Dims;
        public TX* X;
        public TY* Y;

        public readonly void Range(long begin, long count)
        {
            long columns = Dims.Columns, sx = Dims.A[Dims.Rank - 1], sy = Dims.B[Dims.Rank - 1];
            for (long row = begin; row < begin + count; row++)
            {
                var (a, b, _) = Dims.Row(row);
                TX* x = X + a;
                TY* y = Y + b;
                if (sx == 1 && sy == 1) Dense<T, TX, TY>(x, y, columns);
                else for (long i = 0; i < columns; i++) y[i * sy] = T.One(x[i * sx], y[i * sy]);
            }
        }
    }
}

/// <summary>The bits of bfloat16 and float32, a vector at a time.</summary>
internal static unsafe class Brief
{
    /// <summary>The upper halves are all there is: exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector<float> Low, Vector<float> High) Load(BFloat16* x)
    {
        Vector.Widen(Unsafe.ReadUnaligned<Vector<ushort>>(x), out var low, out var high);
        return (Vector.AsVectorSingle(low << 16), Vector.AsVectorSingle(high << 16));
    }

    /// <summary>Rounds to nearest, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector<float> low, Vector<float> high, BFloat16* y)
        => Unsafe.WriteUnaligned(y, Vector.Narrow(Round(low), Round(high)));

    // Half a unit less one, and one more where the last bit that stays is odd. That carry would make some NaN an infinity: those only get their quiet bit.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> Round(Vector<float> x)
    {
        var bits = Vector.AsVectorUInt32(x);
        var upper = bits >> 16;
        var rounded = (bits + new Vector<uint>(0x7FFF) + (upper & Vector<uint>.One)) >> 16;
        return Vector.ConditionalSelect(Vector.AsVectorUInt32(Vector.Equals(x, x)), rounded, upper | new Vector<uint>(0x40));
    }
}

/// <summary>y := x, widened.</summary>
internal readonly unsafe struct Widen : IConversion<BFloat16, float>
{
    public static float One(BFloat16 x, float y) => x;

    public static long Vectors(BFloat16* x, float* y, long n)
    {
        long i = 0;
        for (; i + Vector<ushort>.Count <= n; i += Vector<ushort>.Count)
        {
            var (low, high) = Brief.Load(x + i);
            low.Store(y + i);
            high.Store(y + i + Vector<float>.Count);
        }
        return i;
    }
}

/// <summary>y := x, rounded.</summary>
internal readonly unsafe struct Narrow : IConversion<float, BFloat16>
{
    public static BFloat16 One(float x, BFloat16 y) => (BFloat16)x;

    public static long Vectors(float* x, BFloat16* y, long n)
    {
        long i = 0;
        for (; i + Vector<ushort>.Count <= n; i += Vector<ushort>.Count)
            Brief.Store(Vector.Load(x + i), Vector.Load(x + i + Vector<float>.Count), y + i);
        return i;
    }
}

/// <summary>y := x, both bfloat16.</summary>
internal readonly unsafe struct Keep16 : IConversion<BFloat16, BFloat16>
{
    public static BFloat16 One(BFloat16 x, BFloat16 y) => x;

    public static long Vectors(BFloat16* x, BFloat16* y, long n)
    {
        Buffer.MemoryCopy(x, y, n * sizeof(BFloat16), n * sizeof(BFloat16));
        return n;
    }
}

/// <summary>y += x, y float32: gradients of parameters.</summary>
internal readonly unsafe struct AddWide : IConversion<BFloat16, float>
{
    public static float One(BFloat16 x, float y) => x + y;

    public static long Vectors(BFloat16* x, float* y, long n)
    {
        long i = 0;
        for (; i + Vector<ushort>.Count <= n; i += Vector<ushort>.Count)
        {
            var (low, high) = Brief.Load(x + i);
            (low + Vector.Load(y + i)).Store(y + i);
            (high + Vector.Load(y + i + Vector<float>.Count)).Store(y + i + Vector<float>.Count);
        }
        return i;
    }
}

/// <summary>y += x, both bfloat16, rounded once.</summary>
internal readonly unsafe struct AddBrief : IConversion<BFloat16, BFloat16>
{
    public static BFloat16 One(BFloat16 x, BFloat16 y) => (BFloat16)((float)x + (float)y);

    public static long Vectors(BFloat16* x, BFloat16* y, long n)
    {
        long i = 0;
        for (; i + Vector<ushort>.Count <= n; i += Vector<ushort>.Count)
        {
            var (low, high) = Brief.Load(x + i);
            var (to, above) = Brief.Load(y + i);
            Brief.Store(low + to, high + above, y + i);
        }
        return i;
    }
}

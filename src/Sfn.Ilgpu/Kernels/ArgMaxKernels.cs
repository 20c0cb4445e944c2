using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Index of the largest element along the last dimension, one row per thread.</summary>
internal readonly struct ArgMaxSerial<S> : IKernel where S : unmanaged, IElement<S>
{
    public static string Name => $"argmax_{S.Name}";

    public static bool IsLaunched => typeof(S) != typeof(I32);

    public static Delegate Body => (Action<Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>)Run;

    private static void Run(Sizes rows, int columns, long step, ArrayView<S> x, Steps xs, ArrayView<I32> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= rows.Count) return;
        var p = rows.At(i);
        long at = xs.At(p);
        int best = 0;
        float most = float.NegativeInfinity;
        for (int k = 0; k < columns; k++)
        {
            float value = S.Load(x[at + k * step]).V;
            // A NaN is larger than everything but an earlier NaN.
            if (value > most || (float.IsNaN(value) && !float.IsNaN(most)))
            {
                most = value;
                best = k;
            }
        }
        y[ys.At(p)] = new I32(best);
    }
}

/// <summary>The same in float64.</summary>
internal readonly struct ArgMaxWide<S> : IKernel where S : unmanaged, IWideElement<S>
{
    public static string Name => $"argmax_{S.Name}_wide";

    public static bool IsLaunched => typeof(S) == typeof(I32) || typeof(S) == typeof(F64);

    public static Delegate Body => (Action<Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>)Run;

    private static void Run(Sizes rows, int columns, long step, ArrayView<S> x, Steps xs, ArrayView<I32> y, Steps ys)
    {
        int i = IKernel.Global;
        if (i >= rows.Count) return;
        var p = rows.At(i);
        long at = xs.At(p);
        int best = 0;
        double most = double.NegativeInfinity;
        for (int k = 0; k < columns; k++)
        {
            double value = S.LoadWide(x[at + k * step]).V;
            if (value > most || (double.IsNaN(value) && !double.IsNaN(most)))
            {
                most = value;
                best = k;
            }
        }
        y[ys.At(p)] = new I32(best);
    }
}

/// <summary>Index of the largest element along the last dimension, one group per row: every thread takes every 256th column.</summary>
internal readonly struct ArgMaxRows<S> : IKernel where S : unmanaged, IElement<S>
{
    private const int Fan = 16;

    public static string Name => $"argmax_rows_{S.Name}";

    public static bool IsLaunched => typeof(S) != typeof(I32);

    public static Delegate Body => (Action<Sizes, int, long, ArrayView<S>, Steps, ArrayView<I32>, Steps>)Run;

    private static void Run(Sizes rows, int columns, long step, ArrayView<S> x, Steps xs, ArrayView<I32> y, Steps ys)
    {
        var values = SharedMemory.Allocate<float>(IKernel.Threads);
        var columnsOf = SharedMemory.Allocate<int>(IKernel.Threads);
        int t = Group.IdxX;
        var p = rows.At(Grid.IdxX);
        long at = xs.At(p);
        // A thread without columns loses every comparison: its column number is the largest.
        int best = t < columns ? t : int.MaxValue;
        float most = float.NegativeInfinity;
        for (int k = t; k < columns; k += IKernel.Threads)
        {
            float value = S.Load(x[at + k * step]).V;
            if (!Beats(value, k, most, best)) continue;
            most = value;
            best = k;
        }
        values[t] = most;
        columnsOf[t] = best;
        Group.Barrier();
        if (t < Fan) Best(values, columnsOf, t, Fan, IKernel.Threads);
        Group.Barrier();
        if (t != 0) return;
        Best(values, columnsOf, 0, 1, Fan);
        y[ys.At(p)] = new I32(columnsOf[0]);
    }

    // Leaves the best of the elements from, from + step, … in the first of them.
    private static void Best(ArrayView<float> values, ArrayView<int> columns, int from, int step, int end)
    {
        float most = values[from];
        int best = columns[from];
        for (int i = from + step; i < end; i += step)
        {
            if (!Beats(values[i], columns[i], most, best)) continue;
            most = values[i];
            best = columns[i];
        }
        values[from] = most;
        columns[from] = best;
    }

    // A NaN is larger than everything but an earlier NaN; of equals the first wins.
    private static bool Beats(float value, int column, float most, int best) =>
        float.IsNaN(value) ? !float.IsNaN(most) || column < best : value > most || (value == most && column < best);
}

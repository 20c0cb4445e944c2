using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// y[i, …] := table[ids[i], …], bits unchanged, one unit of U per thread; sizes are those of a row. An id that is no row writes nothing.
/// </summary>
internal readonly struct GatherRows<S, U> : IKernel where S : unmanaged, IIndex<S> where U : unmanaged
{
    public static string Name => $"gather_{S.Name}_{typeof(U).Name.ToLowerInvariant()}";

    public static Delegate Body => (Action<Sizes, int, int, ArrayView<U>, long, Steps, ArrayView<S>, long, ArrayView<U>, long, Steps>)Run;

    private static void Run(Sizes row, int rows, int tableRows, ArrayView<U> table, long tableRow, Steps ts, ArrayView<S> ids, long idStep,
        ArrayView<U> y, long yRow, Steps ys)
    {
        int i = IKernel.Global;
        int r = i / row.Count;
        if (r >= rows) return;
        var p = row.At(i - r * row.Count);
        int id = S.Id(ids[r * idStep]);
        if ((uint)id < (uint)tableRows) y[r * yRow + ys.At(p)] = table[id * tableRow + ts.At(p)];
    }
}

/// <summary>
/// table[ids[i], …] += y[i, …] in the order of i: one thread for each element of a table row walks all ids, so no two threads meet and the order
/// of the additions is fixed.
/// </summary>
internal readonly struct ScatterAddSerial<S, T, Y> : IKernel where S : unmanaged, IIndex<S> where T : unmanaged, IElement<T> where Y : unmanaged, IElement<Y>
{
    public static string Name => $"scatter_add_{S.Name}_{Y.Name}_{T.Name}";

    public static bool IsLaunched =>
        (typeof(Y) == typeof(F32) || typeof(Y) == typeof(Bf16)) && (typeof(T) == typeof(F32) || (typeof(T) == typeof(Bf16) && typeof(Y) == typeof(Bf16)));

    public static Delegate Body => (Action<Sizes, int, int, ArrayView<Y>, long, Steps, ArrayView<S>, long, ArrayView<T>, long, Steps>)Run;

    private static void Run(Sizes row, int rows, int tableRows, ArrayView<Y> y, long yRow, Steps ys, ArrayView<S> ids, long idStep,
        ArrayView<T> table, long tableRow, Steps ts)
    {
        int i = IKernel.Global;
        if (i >= row.Count) return;
        var p = row.At(i);
        long from = ys.At(p), to = ts.At(p);
        for (int r = 0; r < rows; r++)
        {
            int id = S.Id(ids[r * idStep]);
            if ((uint)id >= (uint)tableRows) continue;
            long at = to + id * tableRow;
            table[at] = T.Store(T.Load(table[at]) + Y.Load(y[from + r * yRow]));
        }
    }
}

/// <summary>The same for float64.</summary>
internal readonly struct ScatterAddWide<S> : IKernel where S : unmanaged, IIndex<S>
{
    public static string Name => $"scatter_add_{S.Name}_f64";

    public static Delegate Body => (Action<Sizes, int, int, ArrayView<F64>, long, Steps, ArrayView<S>, long, ArrayView<F64>, long, Steps>)Run;

    private static void Run(Sizes row, int rows, int tableRows, ArrayView<F64> y, long yRow, Steps ys, ArrayView<S> ids, long idStep,
        ArrayView<F64> table, long tableRow, Steps ts)
    {
        int i = IKernel.Global;
        if (i >= row.Count) return;
        var p = row.At(i);
        long from = ys.At(p), to = ts.At(p);
        for (int r = 0; r < rows; r++)
        {
            int id = S.Id(ids[r * idStep]);
            if ((uint)id >= (uint)tableRows) continue;
            long at = to + id * tableRow;
            table[at] = new F64(table[at].V + y[from + r * yRow].V);
        }
    }
}

/// <summary>16 bytes of anything.</summary>
internal struct Bits16
{
    public uint X, Y, Z, W;
}

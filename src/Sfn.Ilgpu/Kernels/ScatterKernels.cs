using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

// Scatter-add of many rows into a large table: the positions of every id are put next to each other and into ascending order, then each id's row is added
// up by threads of its own. Integer atomics count and hand out places; which thread comes first changes where a list lies, never what it holds in the end.

/// <summary>counts[id] := how many positions have this id. Counts begin at 0.</summary>
internal readonly struct ScatterCount<S> : IKernel where S : unmanaged, IIndex<S>
{
    public static string Name => $"scatter_count_{S.Name}";

    public static Delegate Body => (Action<int, int, ArrayView<S>, long, ArrayView<int>>)Run;

    private static void Run(int positions, int tableRows, ArrayView<S> ids, long idStep, ArrayView<int> counts)
    {
        int i = IKernel.Global;
        if (i >= positions) return;
        int id = S.Id(ids[i * idStep]);
        if ((uint)id < (uint)tableRows) Atomic.Add(ref counts[id], 1);
    }
}

/// <summary>Gives every id that occurs a list of its length: starts[id] is its first place, free[id] the next one to fill.</summary>
internal readonly struct ScatterPlaces : IKernel
{
    public static string Name => "scatter_places";

    public static Delegate Body => (Action<int, ArrayView<int>, ArrayView<int>, ArrayView<int>, ArrayView<int>>)Run;

    private static void Run(int tableRows, ArrayView<int> counts, ArrayView<int> starts, ArrayView<int> free, ArrayView<int> taken)
    {
        int id = IKernel.Global;
        if (id >= tableRows) return;
        int count = counts[id];
        if (count == 0) return;
        int start = Atomic.Add(ref taken[0], count);
        starts[id] = start;
        free[id] = start;
    }
}

/// <summary>Puts every position into its id's list, in any order.</summary>
internal readonly struct ScatterFill<S> : IKernel where S : unmanaged, IIndex<S>
{
    public static string Name => $"scatter_fill_{S.Name}";

    public static Delegate Body => (Action<int, int, ArrayView<S>, long, ArrayView<int>, ArrayView<int>>)Run;

    private static void Run(int positions, int tableRows, ArrayView<S> ids, long idStep, ArrayView<int> free, ArrayView<int> lists)
    {
        int i = IKernel.Global;
        if (i >= positions) return;
        int id = S.Id(ids[i * idStep]);
        if ((uint)id < (uint)tableRows) lists[Atomic.Add(ref free[id], 1)] = i;
    }
}

/// <summary>Orders every list: a position's place is the number of smaller ones in its list.</summary>
internal readonly struct ScatterOrder<S> : IKernel where S : unmanaged, IIndex<S>
{
    public static string Name => $"scatter_order_{S.Name}";

    public static Delegate Body => (Action<int, int, ArrayView<S>, long, ArrayView<int>, ArrayView<int>, ArrayView<int>, ArrayView<int>>)Run;

    private static void Run(int positions, int tableRows, ArrayView<S> ids, long idStep, ArrayView<int> counts, ArrayView<int> starts,
        ArrayView<int> lists, ArrayView<int> ordered)
    {
        int i = IKernel.Global;
        if (i >= positions) return;
        int id = S.Id(ids[i * idStep]);
        if ((uint)id >= (uint)tableRows) return;
        int start = starts[id], end = start + counts[id], rank = 0;
        for (int k = start; k < end; k++) rank += lists[k] < i ? 1 : 0;
        ordered[start + rank] = i;
    }
}

/// <summary>
/// table[id, …] += the rows of its list, in order, in float32. Threads belong to four columns of one position; those of a list's first one do the work.
/// </summary>
internal readonly struct ScatterSum<TAccess, S, T, TQ, Y, YQ> : IKernel
    where TAccess : struct, IRowAccess where S : unmanaged, IIndex<S> where T : unmanaged, IElement<T> where TQ : unmanaged, IQuad<TQ, T>
    where Y : unmanaged, IElement<Y> where YQ : unmanaged, IQuad<YQ, Y>
{
    public static string Name => $"scatter_sum_{S.Name}_{Y.Name}_{T.Name}{TAccess.Name}";

    public static bool IsLaunched => typeof(Y) == typeof(Bf16) || typeof(T) == typeof(F32);

    public static Delegate Body =>
        (Action<ScatterSizes, ArrayView<S>, ArrayView<int>, ArrayView<int>, ArrayView<int>, ArrayView<Y>, ArrayView<T>>)Run;

    private static void Run(ScatterSizes n, ArrayView<S> ids, ArrayView<int> counts, ArrayView<int> starts, ArrayView<int> ordered,
        ArrayView<Y> y, ArrayView<T> table)
    {
        int i = IKernel.Global, position = i / n.Lanes, lane = i - position * n.Lanes;
        if (position >= n.Positions) return;
        int id = S.Id(ids[position * n.IdStep]);
        if ((uint)id >= (uint)n.TableRows) return;
        int start = starts[id], count = counts[id];
        if (ordered[start] != position) return;
        long to = id * n.TableRow;
        var sum = TAccess.Load<T, TQ>(table, to, lane, n.Lanes, 0, n.Columns);
        for (int k = 0; k < count; k++)
        {
            var v = TAccess.Load<Y, YQ>(y, ordered[start + k] * n.YRow, lane, n.Lanes, 0, n.Columns);
            sum = Four.Of(sum.A + v.A, sum.B + v.B, sum.C + v.C, sum.D + v.D);
        }
        TAccess.Store<T, TQ>(table, to, lane, n.Lanes, 0, n.Columns, sum);
    }
}

/// <summary>Sizes and row strides of a scatter-add with dense rows; <see cref="Lanes"/> threads hold four columns each of a row.</summary>
internal struct ScatterSizes
{
    public long TableRow, YRow, IdStep;
    public int Positions, TableRows, Columns, Lanes;
}

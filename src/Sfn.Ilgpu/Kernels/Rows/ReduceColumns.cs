using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// Reduces over rows where the columns that stay lie side by side: a group takes a tile of columns (grid x), a run of rows (grid y) and one matrix of a
/// batch (grid z). With several runs the results are partial: [runs, columns of all matrices].
/// </summary>
internal readonly struct ReduceColumns<TMonoid, TAccess, S, Q, T> : IKernel
    where TMonoid : struct, IMonoid where TAccess : struct, IRowAccess
    where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> where T : unmanaged, IElement<T>
{
    public static string Name => $"reduce_{TMonoid.Name}_columns_{S.Name}{TAccess.Name}_{T.Name}";

    public static bool IsLaunched => ReduceTypes.AreLaunched<TMonoid, S, T>();

    public static Delegate Body => (Action<TMonoid, Sizes, int, Sizes, int, ArrayView<S>, Steps, Steps, ArrayView<T>, Steps>)Run;

    private static void Run(TMonoid monoid, Sizes outer, int columns, Sizes inner, int run, ArrayView<S> x, Steps xs, Steps xi, ArrayView<T> y, Steps ys)
    {
        var all = SharedMemory.Allocate<float>(4 * ColumnTile.Threads);
        int lane = Group.IdxX % ColumnTile.Lanes, tile = Grid.IdxX * ColumnTile.Columns, flat = Grid.IdxZ * columns + tile;
        int end = (Grid.IdxY + 1) * run;
        if (end > inner.Count) end = inner.Count;
        long at = xs.At(outer.At(flat));
        G1 a = monoid.Identity<G1>(), b = a, c = a, d = a;
        for (int r = Grid.IdxY * run + Group.IdxX / ColumnTile.Lanes; r < end; r += ColumnTile.RowLanes)
        {
            var v = TAccess.Load<S, Q>(x, at + xi.At(inner.At(r)), lane, ColumnTile.Lanes, 0, columns - tile);
            a = monoid.Combine(a, monoid.Map(v.A));
            b = monoid.Combine(b, monoid.Map(v.B));
            c = monoid.Combine(c, monoid.Map(v.C));
            d = monoid.Combine(d, monoid.Map(v.D));
        }
        G1 sum = ColumnTile.Combine(monoid, Four.Of(a, b, c, d), all);
        if (Group.IdxX >= ColumnTile.Columns) return;
        int column = ColumnTile.Column<TAccess>();
        if (tile + column >= columns) return;
        y[run < inner.Count ? (long)Grid.IdxY * outer.Count + flat + column : ys.At(outer.At(flat + column))] = T.Store(sum);
    }
}

/// <summary>
/// Partial gradients of a norm's weight and bias over runs of rows: Σ dy (x − mean) rstd and Σ dy, each [runs, columns]. Without a mean it is 0.
/// </summary>
internal readonly struct NormWeightColumns<TAccess, X, XQ, Y, YQ> : IKernel
    where TAccess : struct, IRowAccess where X : unmanaged, IElement<X> where XQ : unmanaged, IQuad<XQ, X>
    where Y : unmanaged, IElement<Y> where YQ : unmanaged, IQuad<YQ, Y>
{
    public static string Name => $"norm_weight_grad_{X.Name}_{Y.Name}{TAccess.Name}";

    public static Delegate Body => (Action<NormSizes, ArrayView<X>, ArrayView<F32>, ArrayView<F32>, ArrayView<Y>, ArrayView<F32>, ArrayView<F32>>)Run;

    private static void Run(NormSizes n, ArrayView<X> x, ArrayView<F32> means, ArrayView<F32> rstds, ArrayView<Y> dy,
        ArrayView<F32> weights, ArrayView<F32> biases)
    {
        var all = SharedMemory.Allocate<float>(4 * ColumnTile.Threads);
        int lane = Group.IdxX % ColumnTile.Lanes, tile = Grid.IdxX * ColumnTile.Columns;
        int end = (Grid.IdxY + 1) * n.Run;
        if (end > n.Rows) end = n.Rows;
        Four w = default, b = default;
        for (int r = Grid.IdxY * n.Run + Group.IdxX / ColumnTile.Lanes; r < end; r += ColumnTile.RowLanes)
        {
            var v = TAccess.Load<X, XQ>(x, r * n.X + tile, lane, ColumnTile.Lanes, 0, n.Columns - tile);
            var g = TAccess.Load<Y, YQ>(dy, r * n.Dy + tile, lane, ColumnTile.Lanes, 0, n.Columns - tile);
            G1 mean = n.Centred != 0 ? new(means[r].V) : default, rstd = new(rstds[r].V);
            w = Four.Of(G1.Fma(g.A, (v.A - mean) * rstd, w.A), G1.Fma(g.B, (v.B - mean) * rstd, w.B),
                G1.Fma(g.C, (v.C - mean) * rstd, w.C), G1.Fma(g.D, (v.D - mean) * rstd, w.D));
            b = Four.Of(b.A + g.A, b.B + g.B, b.C + g.C, b.D + g.D);
        }
        G1 weight = ColumnTile.Combine(new Ops.SumMonoid(), w, all), bias = ColumnTile.Combine(new Ops.SumMonoid(), b, all);
        if (Group.IdxX >= ColumnTile.Columns) return;
        int column = tile + ColumnTile.Column<TAccess>();
        if (column >= n.Columns) return;
        weights[(long)Grid.IdxY * n.Columns + column] = new F32(weight.V);
        if (n.Biased != 0) biases[(long)Grid.IdxY * n.Columns + column] = new F32(bias.V);
    }
}

/// <summary>Sizes and row strides of a norm's weight gradient, and which operands there are.</summary>
internal struct NormSizes
{
    public long X, Dy;
    public int Rows, Columns, Run, Centred, Biased;
}

using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y[i…, :] = table[ids[i…], :]: the lookup of an embedding. The gradient adds each row of dy to its table row, in order.</summary>
    public readonly struct Gather : IOp
    {
        /// <inheritdoc/>
        public string Name => "gather";

        /// <inheritdoc/>
        public Keep Keeps => Keep.B;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (table, ids) = (x.A, x.B);
            Check.Together(table, ids, Name);
            Check.Integer(ids, Name);
            if (table.Rank < 1) throw new ShapeMismatch("gather needs a table of at least one dimension, not a scalar.");
            var flat = Indices.Checked(ids, table.Shape[0], Name);
            Span<int> dims = stackalloc int[ids.Rank + table.Rank - 1];
            ids.Shape.CopyTo(dims);
            for (int i = 1; i < table.Rank; i++) dims[ids.Rank + i - 1] = table.Shape[i];
            var y = Tensor.Empty(Shape.Create(dims), table.DType, table.Device);
            if (y.Count > 0) y.Backend.Gather(table.View, flat, Indices.Rows(y, ids.Rank));
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            if (!into.Needs(0)) return;
            var ids = saved.Inputs.B;
            var table = into.Target(0, out bool accumulate);
            if (!accumulate) table.Backend.Fill(table.View, 0);
            if (dy.Count > 0) table.Backend.ScatterAdd(Indices.Rows(dy.Dense(), ids.Rank), Indices.Flat(ids), table.View);
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 0;
    }

    /// <summary>y = x with rows of updates added: y[ids[i], :] += updates[i, :], in the order of i.</summary>
    public readonly struct ScatterAdd : IOp
    {
        /// <inheritdoc/>
        public string Name => "scatter_add";

        /// <inheritdoc/>
        public Keep Keeps => Keep.B;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (table, ids, updates) = (x.A, x.B, x.C!);
            Check.Integer(ids, Name);
            Check.Same(table, updates, Name);
            Check.Together(table, ids, Name);
            if (table.Rank < 1) throw new ShapeMismatch("scatter_add needs a table of at least one dimension, not a scalar.");
            if (ids.Rank != 1 || updates.Rank != table.Rank || updates.Shape[0] != ids.Shape[0] || updates.Shape.Without(0) != table.Shape.Without(0))
                throw new ShapeMismatch(
                    $"scatter_add of updates {updates.Shape} at ids {ids.Shape} into {table.Shape}: updates must be [ids, …] like the rows of the table.");
            var flat = Indices.Checked(ids, table.Shape[0], Name);
            var y = table.EmptyLike();
            y.Backend.Copy(table.View, y.View);
            if (updates.Count > 0) y.Backend.ScatterAdd(updates.View, flat, y.View);
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            if (into.Needs(0)) into.Add(0, dy);
            if (into.Needs(2)) into.Add(2, dy.Gather(saved.Inputs.B));
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Rows of this table by integer ids: [rows, …] and ids [i…] give [i…, …].</summary>
        /// <exception cref="ShapeMismatch">An id is outside the table.</exception>
        public Tensor Gather(Tensor ids) => Op.Run(new Gather(), this, ids);

        /// <summary>This with <paramref name="updates"/>[i] added to row ids[i], for every i in order.</summary>
        public Tensor ScatterAdd(Tensor ids, Tensor updates) => Op.Run(new ScatterAdd(), this, ids, updates);
    }
}

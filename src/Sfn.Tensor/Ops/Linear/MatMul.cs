using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = a·b over the last two dimensions, leading ones broadcast. da = dy·bᵀ, db = aᵀ·dy. Transposes are strides, never copies.</summary>
    /// <param name="mode">What may be done to float32 factors, forward and backward.</param>
    public readonly struct MatMul(MatMulMode mode = MatMulMode.Float32) : IOp
    {
        /// <inheritdoc/>
        public string Name => "matmul";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.B;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (a, b) = (x.A, x.B);
            Check.Same(a, b, Name);
            if (a.Rank < 2 || b.Rank < 2 || a.Shape[^1] != b.Shape[^2])
                throw new ShapeMismatch($"matmul of {a.Shape} and {b.Shape}: the last size of the first must be the last but one of the second.");
            var y = Tensor.Empty(Products.ResultShape(a.Shape, b.Shape), a.DType, a.Device);
            Products.Into(a.View, b.View, y.View, new MatMulSpec { Mode = mode });
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var (a, b) = (saved.Inputs.A, saved.Inputs.B);
            if (into.Needs(0))
            {
                var bt = b.View.Transpose(b.Rank - 2, b.Rank - 1);
                if (Products.ResultShape(dy.Shape, bt.Shape) == a.Shape)
                {
                    var da = into.Target(0, out bool accumulate);
                    Products.Into(dy.View, bt, da.View, new MatMulSpec { Accumulate = accumulate, Mode = mode });
                }
                else
                {
                    var da = Tensor.Empty(Products.ResultShape(dy.Shape, bt.Shape), dy.DType, dy.Device);
                    Products.Into(dy.View, bt, da.View, new MatMulSpec { Mode = mode });
                    into.Add(0, da);
                }
            }
            if (!into.Needs(1)) return;
            // One matrix for all batches: the batches are further rows of one product.
            if (b.Rank == 2 && Products.Rows(a.View, out var rows) && Products.Rows(dy.View, out var dyRows))
            {
                var db = into.Target(1, out bool accumulate);
                Products.Into(rows.Transpose(0, 1), dyRows, db.View, new MatMulSpec { Accumulate = accumulate, Mode = mode });
            }
            else
            {
                var at = a.View.Transpose(a.Rank - 2, a.Rank - 1);
                var db = Tensor.Empty(Products.ResultShape(at.Shape, dy.Shape), dy.DType, dy.Device);
                Products.Into(at, dy.View, db.View, new MatMulSpec { Mode = mode });
                into.Add(1, db);
            }
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 2 * y.Count * x.A.Shape[^1];
    }

    /// <summary>Brings products of any rank to what backends take: at most two batch dimensions.</summary>
    internal static class Products
    {
        public static Shape ResultShape(in Shape a, in Shape b)
        {
            var batch = Shape.Broadcast(Batch(a), Batch(b));
            Span<int> dims = stackalloc int[batch.Rank + 2];
            batch.CopyTo(dims);
            dims[^2] = a[^2];
            dims[^1] = b[^1];
            return Shape.Create(dims);
        }

        public static void Into(in View a, in View b, in View c, in MatMulSpec spec)
        {
            var backend = c.Storage.Allocator.Backend;
            if (c.Count == 0) return;
            if (b.Rank == 2 && c.Rank > 2 && spec.Residual is null && Rows(a, out var rows) && Rows(c, out var cRows))
            {
                backend.MatMul(rows, b, cRows, spec);
                return;
            }
            int batch = c.Rank - 2;
            var (ea, eb) = (ExpandBatch(a, c), ExpandBatch(b, c));
            if (batch <= 2)
            {
                backend.MatMul(ea, eb, c, spec);
                return;
            }
            for (int i = 0; i < c.Shape[0]; i++)
                Into(ea.Select(0, i), eb.Select(0, i), c.Select(0, i), spec with { Residual = spec.Residual?.Select(0, i) });
        }

        /// <summary>All leading dimensions folded into rows, without a copy.</summary>
        public static bool Rows(in View x, out View rows)
        {
            if (x.Rank == 2)
            {
                rows = x;
                return true;
            }
            int last = x.Shape[^1];
            return x.TryReshape([last == 0 ? 0 : (int)(x.Count / last), last], out rows);
        }

        private static Shape Batch(in Shape shape)
        {
            Span<int> dims = stackalloc int[shape.Rank];
            shape.CopyTo(dims);
            return Shape.Create(dims[..^2]);
        }

        private static View ExpandBatch(in View x, in View c)
        {
            Span<int> dims = stackalloc int[c.Rank];
            c.Shape.CopyTo(dims);
            dims[^2] = x.Shape[^2];
            dims[^1] = x.Shape[^1];
            return x.Expand(Shape.Create(dims));
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Matrix product over the last two dimensions; leading ones broadcast. [.., m, k] × [.., k, n] → [.., m, n].</summary>
        /// <exception cref="ShapeMismatch">The inner sizes differ.</exception>
        public Tensor MatMul(Tensor other, MatMulMode mode = MatMulMode.Float32) => Op.Run(new MatMul(mode), this, other);
    }
}

using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = exp(x − max)/Σ along the last dimension, or its logarithm.</summary>
    public readonly struct Softmax(bool log) : IOp
    {
        /// <inheritdoc/>
        public string Name => log ? "log_softmax" : "softmax";

        /// <inheritdoc/>
        public Keep Keeps => Keep.Output;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            Check.Float(x.A, Name);
            if (x.A.Rank == 0) throw new ShapeMismatch($"{Name} needs a dimension; the tensor is a scalar.");
            if (RowOps.Kernels(x.A) is { } kernels)
            {
                var y = x.A.EmptyLike();
                var views = new RowViews { A = RowOps.Matrix(x.A), Y = RowOps.Matrix(y) };
                if (log) kernels.Rows(new Rows.LogSoftmax(), views);
                else kernels.Rows(new Rows.Softmax(), views);
                return y;
            }
            // Composed of several ops: wide between them, rounded once.
            var wide = x.A.To(x.A.DType.Wide());
            var shifted = wide - wide.LogSumExp(-1, keepDim: true);
            return (log ? shifted : shifted.Exp()).To(x.A.DType);
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var y = saved.Output;
            if (RowOps.Kernels(y) is { } kernels)
            {
                var dx = dy.EmptyLike();
                var views = new RowViews { A = RowOps.Matrix(y), B = RowOps.Matrix(dy), Y = RowOps.Matrix(dx) };
                if (log) kernels.Rows(new Rows.LogSoftmaxBackward(), views);
                else kernels.Rows(new Rows.SoftmaxBackward(), views);
                into.Add(0, dx);
            }
            else
            {
                DType type = y.DType;
                (y, dy) = (y.To(type.Wide()), dy.To(type.Wide()));
                into.Add(0, (log ? dy - y.Exp() * dy.Sum(-1, keepDim: true) : y * (dy - (y * dy).Sum(-1, keepDim: true))).To(type));
            }
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 5 * y.Count;
    }

    /// <summary>Brings tensors to the matrices that row kernels take.</summary>
    internal static class RowOps
    {
        /// <summary>The row kernels of the tensor's device, if it has them for this element type.</summary>
        public static IRowKernels? Kernels(Tensor x) => x.Shape[^1] > 0 && x.Backend is IRowKernels kernels && kernels.Takes(x.DType) ? kernels : null;

        /// <summary>[rows, columns] with dense columns; copies if it must.</summary>
        public static View Matrix(Tensor x)
        {
            int columns = x.Shape[^1];
            Shape shape = [columns == 0 ? 0 : (int)(x.Count / columns), columns];
            if (!x.View.TryReshape(shape, out var view) || (columns > 1 && view.Strides[1] != 1)) x.Dense().View.TryReshape(shape, out view);
            return view;
        }

        /// <summary>A vector, float32 beside bfloat16, repeated for every row of <paramref name="x"/>.</summary>
        public static View Repeated(Tensor vector, Tensor x)
        {
            var row = vector.To(vector.DType.Wide()).Dense().View;
            return row.Expand([(int)(x.Count / x.Shape[^1]), x.Shape[^1]]);
        }

        /// <summary>One scalar for each row of <paramref name="x"/>.</summary>
        public static Tensor Scalars(Tensor x) => Tensor.Empty([(int)(x.Count / x.Shape[^1])], x.DType.Wide(), x.Device);
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>exp(x)/Σexp(x) along one dimension.</summary>
        public Tensor Softmax(int dim = -1) => Along(dim, log: false);

        /// <summary>log(exp(x)/Σexp(x)) along one dimension.</summary>
        public Tensor LogSoftmax(int dim = -1) => Along(dim, log: true);

        private Tensor Along(int dim, bool log)
        {
            if (Rank == 0 || Shape.Axis(dim) == Rank - 1) return Op.Run(new Softmax(log), this);
            return Op.Run(new Softmax(log), Transpose(dim, -1)).Transpose(dim, -1);
        }
    }
}

using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>Tensors joined along one dimension; the gradient is cut apart again.</summary>
    public readonly struct Concat(int dim) : IOp
    {
        /// <inheritdoc/>
        public string Name => "concat";

        /// <inheritdoc/>
        public Keep Keeps => Keep.None;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var first = x.A;
            int size = 0;
            for (int i = 0; i < x.Count; i++)
            {
                var part = x[i]!;
                Check.Same(first, part, Name);
                if (part.Rank != first.Rank || part.Shape.With(dim, 0) != first.Shape.With(dim, 0))
                    throw new ShapeMismatch($"concat along dimension {dim}: {part.Shape} does not fit {first.Shape}; all other sizes must be equal.");
                size += part.Shape[dim];
            }
            var y = Tensor.Empty(first.Shape.With(dim, size), first.DType, first.Device);
            for (int i = 0, at = 0; i < x.Count; at += x[i++]!.Shape[dim])
                y.Backend.Copy(x[i]!.View, y.View.Narrow(dim, at, x[i]!.Shape[dim]));
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            for (int i = 0, at = 0; i < saved.Inputs.Count; at += saved.Inputs[i++]!.Shape[dim])
                if (into.Needs(i)) into.Add(i, dy.Over(dy.View.Narrow(dim, at, saved.Inputs[i]!.Shape[dim])));
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 0;
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Joins tensors along dimension <paramref name="dim"/>; all other sizes are equal.</summary>
        public static Tensor Concat(Tensor[] parts, int dim = 0)
        {
            if (parts.Length == 0) throw new ShapeMismatch("concat of no tensors.");
            return Op.Run(new Concat(parts[0].Shape.Axis(dim)), new Inputs(parts));
        }
    }
}

using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>y = condition ? a : b, elementwise with broadcasting. The gradient goes to the side that was chosen.</summary>
    public readonly struct Where : IOp
    {
        /// <inheritdoc/>
        public string Name => "where";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            Check.Same(x.B, x.C!, Name);
            Check.Together(x.A, x.B, Name);
            var shape = Shape.Broadcast(x.A.Shape, Shape.Broadcast(x.B.Shape, x.C!.Shape));
            var y = Tensor.Empty(shape, x.B.DType, x.B.Device);
            y.Backend.Where(x.A.View.Expand(shape), x.B.View.Expand(shape), x.C.View.Expand(shape), y.View);
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var condition = saved.Inputs.A.View.Expand(dy.Shape);
            var zero = Tensor.Zeros([], dy.DType, dy.Device);
            var none = zero.View.Expand(dy.Shape);
            for (int i = 1; i <= 2; i++)
            {
                if (!into.Needs(i)) continue;
                var dx = dy.EmptyLike();
                dy.Backend.Where(condition, i == 1 ? dy.View : none, i == 1 ? none : dy.View, dx.View);
                into.Add(i, dx);
            }
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Elements of <paramref name="a"/> where the condition is true (or not 0), else of <paramref name="b"/>.</summary>
        public static Tensor Where(Tensor condition, Tensor a, Tensor b) => Op.Run(new Where(), condition, a, b);
    }
}

using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// y = x/(1 − p) with probability 1 − p, else 0·x (Srivastava et al. 2014). Element i is decided by word i of Philox(seed), so the same
    /// elements drop on every device and in a recomputed forward; the gradient draws the mask again instead of keeping it.
    /// </summary>
    /// <param name="probability">p, 0 to below 1.</param>
    /// <param name="seed">A seed in device memory must be the op's second input too.</param>
    public readonly struct Dropout(float probability, DropoutSeed seed) : IOp
    {
        /// <inheritdoc/>
        public string Name => "dropout";

        /// <inheritdoc/>
        public Keep Keeps => seed.Memory is null ? Keep.None : Keep.B;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            Check.Float(x.A, Name);
            if (probability is not (>= 0 and < 1)) throw new ShapeMismatch($"dropout probability {probability} is not in [0, 1).");
            if (seed.Memory is { } memory) Check.Together(x.A, memory, Name);
            if (KernelOf(x.A) is not { } kernel) return Masked(x.A);
            var y = x.A.EmptyLike();
            kernel.Dropout(x.A.Dense().View, y.View, seed.Spec(probability), accumulate: false);
            return y;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            if (!into.Needs(0)) return;
            if (KernelOf(dy) is not { } kernel)
            {
                into.Add(0, Masked(dy));
                return;
            }
            var dx = into.Target(0, out bool accumulate);
            kernel.Dropout(dy.Dense().View, dx.View, seed.Spec(probability), accumulate);
        }

        private static IDropout? KernelOf(Tensor x) => x.DType is DType.F32 or DType.BF16 ? x.Backend as IDropout : null;

        // The factors come from the host: the meaning of the op, for devices without a kernel and for float64. As in a kernel a half rounds once.
        private Tensor Masked(Tensor x)
        {
            float[] factors = new float[checked((int)x.Count)];
            var spec = seed.Spec(probability);
            ulong own = seed.Read();
            for (int i = 0; i < factors.Length; i++) factors[i] = Philox.At(own, (ulong)i) >= spec.Threshold ? spec.Kept : 0;
            var wide = x.DType.Wide();
            return (x.To(wide) * Tensor.From(factors, x.Shape, x.Device).To(wide)).To(x.DType);
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Zeroes elements with the given probability and scales the others so that the mean stays. Same seed, same elements.</summary>
        /// <param name="probability">0 to below 1.</param>
        /// <param name="seed">A number, or one in device memory.</param>
        public Tensor Dropout(float probability, DropoutSeed seed)
            => probability == 0 ? this : Op.Run(new Dropout(probability, seed), this, seed.Memory);
    }
}

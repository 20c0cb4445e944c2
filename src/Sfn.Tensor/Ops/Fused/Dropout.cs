using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// y = x/(1 − p) with probability 1 − p, else 0 (Srivastava et al. 2014). Element i is decided by word i of Philox(seed), so the same
    /// elements drop on every device and in a recomputed forward.
    /// </summary>
    public readonly struct Dropout(float probability, ulong seed) : IOp
    {
        /// <inheritdoc/>
        public string Name => "dropout";

        /// <inheritdoc/>
        public Keep Keeps => Keep.None;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            Check.Float(x.A, Name);
            if (probability is not (>= 0 and < 1)) throw new ShapeMismatch($"dropout probability {probability} is not in [0, 1).");
            byte[] keep = new byte[checked((int)x.A.Count)];
            uint threshold = (uint)(probability * 4294967296.0);
            for (int i = 0; i < keep.Length; i += 4)
            {
                var (a, b, c, d) = Philox.Words(seed, (ulong)(i >> 2));
                keep[i] = a >= threshold ? (byte)1 : (byte)0;
                if (i + 1 < keep.Length) keep[i + 1] = b >= threshold ? (byte)1 : (byte)0;
                if (i + 2 < keep.Length) keep[i + 2] = c >= threshold ? (byte)1 : (byte)0;
                if (i + 3 < keep.Length) keep[i + 3] = d >= threshold ? (byte)1 : (byte)0;
            }
            extras.A = Tensor.From(keep, x.A.Shape, x.A.Device);
            return Apply(x.A, extras.A);
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into) => into.Add(0, Apply(dy, saved.ExtraA!));

        private Tensor Apply(Tensor x, Tensor keep)
            => Tensor.Where(keep, x, Tensor.Zeros([], x.DType, x.Device)) * (1.0 / (1.0 - probability));
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Zeroes elements with the given probability and scales the others so that the mean stays. Same seed, same elements.</summary>
        public Tensor Dropout(float probability, ulong seed) => probability == 0 ? this : Op.Run(new Dropout(probability, seed), this);
    }
}

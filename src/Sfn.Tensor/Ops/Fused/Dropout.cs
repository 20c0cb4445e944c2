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
            float[] factors = new float[checked((int)x.A.Count)];
            uint threshold = (uint)(probability * 4294967296.0);
            float kept = (float)(1.0 / (1.0 - probability));
            for (int i = 0; i < factors.Length; i += 4)
            {
                var (a, b, c, d) = Philox.Words(seed, (ulong)(i >> 2));
                factors[i] = a >= threshold ? kept : 0;
                if (i + 1 < factors.Length) factors[i + 1] = b >= threshold ? kept : 0;
                if (i + 2 < factors.Length) factors[i + 2] = c >= threshold ? kept : 0;
                if (i + 3 < factors.Length) factors[i + 3] = d >= threshold ? kept : 0;
            }
            extras.A = Tensor.From(factors, x.A.Shape, x.A.Device).To(x.A.DType);
            return x.A * extras.A;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into) => into.Add(0, dy * saved.ExtraA!);
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

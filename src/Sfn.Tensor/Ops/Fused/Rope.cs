using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// Rotary positions (Su et al. 2021), halves paired as in GPT-NeoX: (x₁, x₂) → (x₁·cos − x₂·sin, x₂·cos + x₁·sin) with x₁, x₂ the two
    /// halves of each head. The gradient is the rotation backwards.
    /// </summary>
    public readonly struct Rope(int start) : IOp
    {
        /// <inheritdoc/>
        public string Name => "rope";

        /// <inheritdoc/>
        public Keep Keeps => Keep.B | Keep.C;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (input, cos, sin) = (x.A, x.B, x.C!);
            Check.Float(input, Name);
            if (input.Rank != 4 || input.Shape[3] % 2 != 0)
                throw new ShapeMismatch($"rope needs [batch, tokens, heads, dim] with an even dim, not {input.Shape}.");
            Check.Together(input, cos, Name);
            Check.Same(cos, sin, Name);
            if (start < 0) throw new ShapeMismatch($"rope of {input.Shape} from position {start}: positions count from 0.");
            long end = (long)start + input.Shape[1];
            if (cos.Rank != 2 || cos.Shape != sin.Shape || cos.Shape[1] * 2 != input.Shape[3] || cos.Shape[0] < end)
            {
                throw new ShapeMismatch($"rope of {input.Shape} from position {start}: tables are {cos.Shape}, " +
                    $"need [at least {end}, {input.Shape[3] / 2}].");
            }
            return Rotate(input, cos, sin, inverse: false);
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            if (into.Needs(1) || into.Needs(2)) throw new NoGradient("rope has no gradient for its tables of cosines and sines. Detach() them.");
            if (into.Needs(0)) into.Add(0, Rotate(dy, saved.Inputs.B, saved.Inputs.C!, inverse: true));
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 3 * y.Count;

        private Tensor Rotate(Tensor x, Tensor cos, Tensor sin, bool inverse)
        {
            int tokens = x.Shape[1], half = x.Shape[3] / 2;
            var y = x.EmptyLike();
            if (cos.DType == DType.F32 && x.Backend is IRotary kernel && kernel.Takes(x.DType))
            {
                kernel.Rotate(x.View.Strides[3] == 1 ? x.View : x.Dense().View, y.View, cos.Dense().View, sin.Dense().View, start, inverse);
                return y;
            }
            // Wide inside; the copies into y round once.
            x = x.To(x.DType.Wide());
            var c = cos.Narrow(0, start, tokens).To(x.DType).Reshape(tokens, 1, half);
            var s = sin.Narrow(0, start, tokens).To(x.DType).Reshape(tokens, 1, half);
            if (inverse) s = -s;
            var (low, high) = (x.Narrow(3, 0, half), x.Narrow(3, half, half));
            y.Backend.Copy((low * c - high * s).View, y.View.Narrow(3, 0, half));
            y.Backend.Copy((high * c + low * s).View, y.View.Narrow(3, half, half));
            return y;
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>Rotates each head by the angles of its token's position. This [batch, tokens, heads, dim]; tables from <see cref="RopeTables"/>.</summary>
        /// <param name="cos">Cosines, [positions, dim/2].</param>
        /// <param name="sin">Sines, [positions, dim/2].</param>
        /// <param name="start">Position of the first token.</param>
        public Tensor Rope(Tensor cos, Tensor sin, int start = 0) => Op.Run(new Rope(start), this, cos, sin);

        /// <summary>Cosines and sines of position·base^(−2i/dim), computed in float64; each [positions, dim/2].</summary>
        public static (Tensor Cos, Tensor Sin) RopeTables(int positions, int dim, double @base = 10000, Device? device = null)
        {
            int half = dim / 2;
            float[] cos = new float[positions * half], sin = new float[positions * half];
            for (int t = 0; t < positions; t++)
            {
                for (int i = 0; i < half; i++)
                {
                    double angle = t * Math.Pow(@base, -2.0 * i / dim);
                    cos[t * half + i] = (float)Math.Cos(angle);
                    sin[t * half + i] = (float)Math.Sin(angle);
                }
            }
            return (From(cos, [positions, half], device), From(sin, [positions, half], device));
        }
    }
}

using Sfn.Backends;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Ops
{
    /// <summary>
    /// Mean over the rows whose target is not ignored of −log softmax(logits)[target]; logits [.., classes], targets [..] of class ids.
    /// dlogits = (softmax − onehot)/rows·dy; that matrix is made in forward, so logits and gradient never exist beside a third copy. The loss of
    /// bfloat16 logits is float32.
    /// </summary>
    public readonly struct CrossEntropy(int ignore) : IOp
    {
        /// <inheritdoc/>
        public string Name => "cross_entropy";

        /// <inheritdoc/>
        public Keep Keeps => Keep.None;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (logits, targets) = (x.A, x.B);
            int classes = Losses.Check(logits.Shape, targets, ignore, Name);
            Check.Float(logits, Name);
            Check.Together(logits, targets, Name);
            // The copy becomes softmax − onehot in place.
            var work = Tensor.Empty([(int)targets.Count, classes], logits.DType.Wide(), logits.Device);
            work.Backend.Copy(RowOps.Matrix(logits), work.View);
            var losses = Tensor.Empty([(int)targets.Count], work.DType, logits.Device);
            var ids = Losses.Targets(targets);
            Indices.Check(ids, classes, ignore, Name);
            Losses.Rows(work, ids, ignore, losses, gradient: true);
            extras.A = work;
            extras.B = Losses.Weight(ids, ignore, work.DType);
            return losses.Sum() * extras.B;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
            => into.Add(0, (saved.ExtraA! * (saved.ExtraB! * dy)).Reshape(saved.Inputs.A.Shape));

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 6 * x.A.Count;
    }

    /// <summary>
    /// Cross-entropy of logits = x·Wᵀ, the end of a language model, without ever holding the logits twice: x [.., in], W [classes, in].
    /// Recording keeps one matrix [rows, classes] of softmax − onehot; without recording only a chunk of rows exists at a time.
    /// </summary>
    /// <remarks>
    /// Where x and W are bfloat16, the logits of a chunk, softmax and loss are float32; the kept matrix is bfloat16: with a large vocabulary it is the
    /// largest tensor of a step, and its products with x and W then have factors of one type.
    /// </remarks>
    /// <param name="ignore">Rows with this target do not count.</param>
    /// <param name="recording">Whether a gradient will be asked for.</param>
    /// <param name="mode">What may be done to float32 factors, forward and backward.</param>
    public readonly struct LinearCrossEntropy(int ignore, bool recording, MatMulMode mode = MatMulMode.Float32) : IOp
    {
        /// <summary>Rows whose logits exist at a time.</summary>
        public const int ChunkRows = 256;

        /// <inheritdoc/>
        public string Name => "linear_cross_entropy";

        /// <inheritdoc/>
        public Keep Keeps => Keep.A | Keep.B;

        /// <inheritdoc/>
        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var (input, weight, targets) = (x.A, x.B, x.C!);
            Check.Same(input, weight, Name);
            Check.Together(input, targets, Name);
            if (weight.Rank != 2 || input.Shape[^1] != weight.Shape[1])
                throw new ShapeMismatch(
                    $"{Name} of input {input.Shape} and weight {weight.Shape}: the weight is [classes, in] and the input's last size must be in.");
            int classes = weight.Shape[0], rows = (int)targets.Count;
            Losses.Check(input.Shape.With(input.Rank - 1, classes), targets, ignore, Name);
            var ids = Losses.Targets(targets);
            Indices.Check(ids, classes, ignore, Name);
            int chunk = Math.Min(ChunkRows, rows);
            DType wide = input.DType.Wide();
            bool narrow = recording && wide != input.DType;
            var losses = Tensor.Empty([rows], wide, input.Device);
            var work = Tensor.Empty([recording && !narrow ? rows : chunk, classes], wide, input.Device);
            var slope = narrow ? Tensor.Empty([rows, classes], input.DType, input.Device) : work;
            var matrix = RowOps.Matrix(input);
            for (int at = 0; at < rows; at += chunk)
            {
                int n = Math.Min(chunk, rows - at);
                var logits = work.Over(work.View.Narrow(0, recording && !narrow ? at : 0, n));
                input.Backend.MatMul(matrix.Narrow(0, at, n), weight.View.Transpose(0, 1), logits.View, new MatMulSpec { Mode = mode });
                Losses.Rows(logits, ids.Over(ids.View.Narrow(0, at, n)), ignore, losses.Over(losses.View.Narrow(0, at, n)), recording);
                if (narrow) slope.Backend.Copy(logits.View, slope.View.Narrow(0, at, n));
            }
            var mean = Losses.Weight(ids, ignore, wide);
            if (recording) (extras.A, extras.B) = (slope, mean);
            return losses.Sum() * mean;
        }

        /// <inheritdoc/>
        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            var (input, weight, slope) = (saved.Inputs.A, saved.Inputs.B, saved.ExtraA!);
            var scale = saved.ExtraB! * dy;
            DType type = input.DType, wide = scale.DType;
            if (into.Needs(0))
            {
                var dx = Tensor.Empty(input.Shape, wide, input.Device);
                Products.Rows(dx.View, out var rows);
                Products.Into(slope.View, weight.View, rows, new MatMulSpec { Mode = mode });
                into.Add(0, (dx * scale).To(type));
            }
            if (into.Needs(1))
            {
                var scaled = (input.To(wide) * scale).To(type);
                var dw = into.Target(1, out bool accumulate);
                Products.Into(slope.View.Transpose(0, 1), RowOps.Matrix(scaled), dw.View, new MatMulSpec { Accumulate = accumulate, Mode = mode });
            }
        }

        /// <inheritdoc/>
        public static long Flops(in Inputs x, Tensor y) => 2 * x.A.Count * x.B.Shape[0];
    }

    internal static class Losses
    {
        public static int Check(in Shape logits, Tensor targets, int ignore, string op)
        {
            Ops.Check.Integer(targets, op);
            if (logits.Rank == 0 || targets.Shape != logits.Without(logits.Rank - 1))
                throw new ShapeMismatch($"{op}: targets {targets.Shape} must have the shape of the logits {logits} without the last size.");
            return logits[^1];
        }

        /// <summary>Targets as a dense I32 vector.</summary>
        public static Tensor Targets(Tensor targets) => targets.To(DType.I32).Dense().Reshape((int)targets.Count);

        /// <summary>
        /// 1/(number of targets that count, at least 1), a scalar that the host never reads. Whole numbers up to 2²⁴ are exact in float32.
        /// </summary>
        public static Tensor Weight(Tensor ids, int ignore, DType dtype)
        {
            var wide = dtype == DType.F64 ? DType.F64 : DType.F32;
            var counted = ids.NotEqualTo(Tensor.Full([], ignore, DType.I32, ids.Device)).To(wide).Sum();
            return counted.Maximum(Tensor.Ones([], wide, ids.Device)).Reciprocal().To(dtype);
        }

        /// <summary>Losses of the rows and, in place of the logits, softmax − onehot; the ids have been checked.</summary>
        public static void Rows(Tensor logits, Tensor ids, int ignore, Tensor losses, bool gradient)
        {
            int classes = logits.Shape[1];
            if (logits.DType == DType.F32 && logits.Backend is ICrossEntropy kernel)
            {
                kernel.CrossEntropy(logits.View, ids.View, ignore, losses.View, gradient);
                return;
            }
            var log = logits.LogSoftmax();
            var hot = Tensor.OneHot(ids, classes, logits.DType);
            var counts = ids.EqualTo(Tensor.Full([], ignore, DType.I32, ids.Device)).To(logits.DType) * -1.0 + 1.0;
            // Selected, not multiplied: 0 · −∞ of a class that cannot occur would be NaN.
            var none = Tensor.Zeros([], logits.DType, logits.Device);
            logits.Backend.Copy((Tensor.Where(hot, log, none).Sum(-1) * counts * -1.0).View, losses.View);
            if (gradient) logits.Backend.Copy(((log.Exp() - hot) * counts.Reshape((int)ids.Count, 1)).View, logits.View);
        }
    }
}

namespace Sfn
{
    public sealed partial class Tensor
    {
        /// <summary>
        /// Mean −log softmax(this)[target] over all rows whose target is not <paramref name="ignore"/>; natural logarithm. This [..,
        /// classes], targets [..].
        /// </summary>
        public Tensor CrossEntropy(Tensor targets, int ignore = -100) => Op.Run(new CrossEntropy(ignore), this, targets);

        /// <summary>CrossEntropy of x·weightᵀ, in chunks of rows. This [.., in], weight [classes, in], targets [..].</summary>
        public Tensor LinearCrossEntropy(Tensor weight, Tensor targets, int ignore = -100, MatMulMode mode = MatMulMode.Float32)
            => Op.Run(new LinearCrossEntropy(ignore, Op.Recorder is not null, mode), this, weight, targets);

        /// <summary>1 at each id, 0 elsewhere; ids outside 0..classes-1 give a row of zeros. ids [rows] → [rows, classes].</summary>
        public static Tensor OneHot(Tensor ids, int classes, DType dtype = DType.F32)
            => ids.To(DType.I32).Unsqueeze(-1).EqualTo(Arange(classes, DType.I32, ids.Device)).To(dtype);
    }
}

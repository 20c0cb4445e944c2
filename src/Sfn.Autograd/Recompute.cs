using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Autograd;

/// <summary>
/// Runs a part of a model without keeping its activations: backward runs its forward again (Chen et al. 2016). The part must be a pure
/// function of its input and of parameters.
/// </summary>
public static class Recompute
{
    /// <summary>f(x), recorded as one op.</summary>
    /// <param name="f">Pure; runs again, with the same argument, in backward.</param>
    /// <param name="x">Floats, or ids that f looks up.</param>
    public static Tensor Run(Func<Tensor, Tensor> f, Tensor x) => Op.Run(new RecomputeOp(f), x);

    private readonly struct RecomputeOp(Func<Tensor, Tensor> f) : IOp
    {
        public string Name => "recompute";

        public Keep Keeps => Keep.A;

        // Parameters inside f want gradients even if x does not.
        public static bool AlwaysRecord => true;

        public static long Flops(in Inputs x, Tensor y) => 0;

        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            using var scope = Scope.Open("recompute");
            return scope.Return(f(x.A));
        }

        public void Backward(in Saved saved, Tensor dy, IGradients into)
        {
            using var tape = new Tape();
            var input = saved.Inputs.A;
            // Ids have no gradient, but the parameters that f looks up with them do.
            var x = input.DType.IsFloat() ? tape.Watch(input) : input;
            var y = f(x);
            if (y.Recorder is null)
            {
                // No op of f was recorded: f gives a parameter as it is, or is made of constants alone.
                if (y.Leaf is Parameter { Frozen: false } parameter) parameter.AddGradient(dy);
                return;
            }
            tape.Backward(y, dy);
            if (into.Needs(0) && tape.Gradient(x) is { } dx) into.Add(0, dx);
        }
    }
}

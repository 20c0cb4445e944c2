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
            var x = tape.Watch(saved.Inputs.A);
            tape.Backward(f(x), dy);
            if (into.Needs(0) && tape.Gradient(x) is { } dx) into.Add(0, dx);
        }
    }
}

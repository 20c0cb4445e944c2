using Sfn.Autograd;

namespace Sfn.Nn;

/// <summary>A linear map in any parametrization with its bias, which starts at 0.</summary>
public sealed class Biased : Module
{
    private readonly Parameter? _bias;

    /// <summary>A layer inside <paramref name="parent"/>; the factors carry the layer's own name.</summary>
    public Biased(Module parent, string name, FfnConfig structure, int @in, int @out, bool bias, Init init) : base(parent, name)
    {
        Map = Linears.Create(this, "", structure, @in, @out, init);
        if (bias) _bias = Param("bias", init.Constant([@out], 0));
    }

    /// <summary>The parametrization.</summary>
    public ILinear Map { get; }

    /// <summary>W·x + bias + residual.</summary>
    public Tensor Apply(Tensor x, Tensor? residual = null) => Map.Apply(x, _bias?.Value, residual);

    /// <summary>The bias, if there is one.</summary>
    public Parameter? Bias => _bias;
}

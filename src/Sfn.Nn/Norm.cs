using Sfn.Autograd;

namespace Sfn.Nn;

/// <summary>LayerNorm or RMSNorm over the last dimension, with weight (1) and, for LayerNorm in a model with biases, bias (0). ε = 1e-5.</summary>
public sealed class Norm : Module
{
    private const float Epsilon = 1e-5f;
    private readonly NormKind _kind;
    private readonly Parameter _weight;
    private readonly Parameter? _bias;

    /// <summary>A norm of that width inside <paramref name="parent"/>.</summary>
    public Norm(Module parent, string name, NormKind kind, int width, bool bias, Init init) : base(parent, name)
    {
        _kind = kind;
        _weight = Param("weight", init.Constant([width], 1));
        if (kind == NormKind.LayerNorm && bias) _bias = Param("bias", init.Constant([width], 0));
    }

    /// <summary>x [.., width] → [.., width].</summary>
    public Tensor Apply(Tensor x)
    {
        using var call = Enter();
        return call.Return(_kind == NormKind.LayerNorm ? x.LayerNorm(_weight.Value, _bias?.Value, Epsilon) : x.RmsNorm(_weight.Value, Epsilon));
    }
}

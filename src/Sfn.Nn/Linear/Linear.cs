using Sfn.Autograd;

namespace Sfn.Nn;

/// <summary>The dense map: weight [out, in], starting from normal numbers of standard deviation 0.02.</summary>
public sealed class Linear : Module, ILinear
{
    private readonly Parameter _weight;

    /// <summary>A dense map inside <paramref name="parent"/>.</summary>
    public Linear(Module parent, string name, int @in, int @out, Init init) : base(parent, name)
    {
        (In, Out) = (@in, @out);
        _weight = Matrix("weight", init.Normal($"{Path}.weight", [@out, @in]));
        Factors = [_weight];
    }

    /// <inheritdoc/>
    public int In { get; }

    /// <inheritdoc/>
    public int Out { get; }

    /// <inheritdoc/>
    public long ParameterCount => (long)In * Out;

    /// <inheritdoc/>
    public IReadOnlyList<Parameter> Factors { get; }

    /// <inheritdoc/>
    public Tensor Apply(Tensor x, Tensor? bias = null, Tensor? residual = null)
    {
        using var call = Enter();
        return call.Return(x.Linear(_weight.Reading, bias, residual, Numerics.MatMul));
    }

    /// <inheritdoc/>
    public Tensor Merge() => _weight.Value.Detach();
}

using Sfn.Autograd;

namespace Sfn.Nn;

/// <summary>
/// W = lr2·lr1 with lr1 [rank, in] and lr2 [out, rank]: rank·(in + out) parameters. Starts as balanced factors of the best rank-R
/// approximation of a random dense matrix.
/// </summary>
public sealed class LowRank : Module, ILinear
{
    private readonly Parameter _down, _up;

    /// <summary>A low-rank map inside <paramref name="parent"/>.</summary>
    public LowRank(Module parent, string name, int @in, int @out, int rank, Init init) : base(parent, name)
    {
        (In, Out, Rank) = (@in, @out, rank);
        if (rank < 1 || rank > Math.Min(@in, @out))
            throw new ConfigError($"rank {rank} of {Path} must be between 1 and {Math.Min(@in, @out)}, the smaller of {@in} and {@out} (--rank)");
        using var scope = Scope.Open("LowRank");
        var (up, down) = init.BestLowRank(Path, @out, @in, rank);
        _down = Matrix("lr1", down);
        _up = Matrix("lr2", up);
        Factors = [_down, _up];
    }

    /// <inheritdoc/>
    public int In { get; }

    /// <inheritdoc/>
    public int Out { get; }

    /// <summary>Width between the factors.</summary>
    public int Rank { get; }

    /// <inheritdoc/>
    public long ParameterCount => (long)Rank * (In + Out);

    /// <inheritdoc/>
    public IReadOnlyList<Parameter> Factors { get; }

    /// <inheritdoc/>
    public Tensor Apply(Tensor x, Tensor? bias = null, Tensor? residual = null)
    {
        using var call = Enter();
        return call.Return(x.Linear(_down.Reading, mode: Numerics.MatMul).Linear(_up.Reading, bias, residual, Numerics.MatMul));
    }

    /// <inheritdoc/>
    public Tensor Merge()
    {
        using var call = Enter();
        return call.Return(_up.Value.Detach().MatMul(_down.Value.Detach()));
    }
}

using Sfn.Autograd;

namespace Sfn.Nn;

/// <summary>
/// A linear map y = W·x in any parametrization (arXiv 2406.16450, section 2). The bias belongs to the layer around it and is handed in
/// so that it can be fused.
/// </summary>
public interface ILinear
{
    /// <summary>Width of x.</summary>
    int In { get; }

    /// <summary>Width of y.</summary>
    int Out { get; }

    /// <summary>Values that are trained, the bias not counted: also the multiply-adds per token.</summary>
    long ParameterCount { get; }

    /// <summary>The factors.</summary>
    IReadOnlyList<Parameter> Factors { get; }

    /// <summary>W·x + bias + residual: x [.., in] → [.., out].</summary>
    Tensor Apply(Tensor x, Tensor? bias = null, Tensor? residual = null);

    /// <summary>The exact dense matrix W [out, in].</summary>
    Tensor Merge();
}

/// <summary>Makes the parametrization that a configuration asks for.</summary>
public static class Linears
{
    /// <summary>A linear map inside <paramref name="parent"/>.</summary>
    public static ILinear Create(Module parent, string name, FfnConfig config, int @in, int @out, Init init) => config.Kind switch
    {
        FfnKind.LowRank => new LowRank(parent, name, @in, @out, config.Rank, init),
        FfnKind.BlockDense => new BlockDense(parent, name, @in, @out, config.Blocks, config.Rank, init),
        FfnKind.BlockShuffle => new BlockShuffle(parent, name, @in, @out, config.Blocks, init),
        _ => new Linear(parent, name, @in, @out, init),
    };
}

using Sfn.Autograd;

namespace Sfn.Nn;

/// <summary>
/// Two block-diagonal factors with a shuffle after each, min(in, out)·(in + out)/blocks parameters. With ib = in/blocks and
/// ob = out/blocks, the width changes where it keeps the middle at min(in, out): blkdiag1 [blocks, ib, ib] and blkdiag2
/// [blocks, ob, ib] if in &lt; out, else blkdiag1 [blocks, ob, ib] and blkdiag2 [blocks, ob, ob]. Starts with orthonormal blocks.
/// </summary>
public sealed class BlockShuffle : Module, ILinear
{
    private readonly Parameter _first, _second;

    /// <summary>A block-shuffle map inside <paramref name="parent"/>.</summary>
    public BlockShuffle(Module parent, string name, int @in, int @out, int blocks, Init init) : base(parent, name)
    {
        (In, Out, Blocks) = (@in, @out, blocks);
        Ffn.BlockShuffle(blocks).Validate(Path, @in, @out);
        int ib = @in / blocks, ob = @out / blocks, inner = Math.Min(ib, ob);
        using var scope = Scope.Open("BlockShuffle");
        _first = Matrix("blkdiag1", init.OrthonormalBlocks($"{Path}.blkdiag1", blocks, inner, ib));
        _second = Matrix("blkdiag2", init.OrthonormalBlocks($"{Path}.blkdiag2", blocks, ob, inner));
        Factors = [_first, _second];
    }

    /// <inheritdoc/>
    public int In { get; }

    /// <inheritdoc/>
    public int Out { get; }

    /// <summary>Number of blocks of each factor.</summary>
    public int Blocks { get; }

    /// <inheritdoc/>
    public long ParameterCount => (long)Math.Min(In, Out) * (In + Out) / Blocks;

    /// <inheritdoc/>
    public IReadOnlyList<Parameter> Factors { get; }

    /// <inheritdoc/>
    public Tensor Apply(Tensor x, Tensor? bias = null, Tensor? residual = null)
    {
        using var call = Enter();
        var y = x.ShuffleLinear(_first.Reading, _second.Reading, bias, Numerics.MatMul);
        return call.Return(residual is null ? y : y + residual);
    }

    /// <inheritdoc/>
    public Tensor Merge()
    {
        using var call = Enter();
        // The columns of W are the images of the unit vectors.
        using var pause = Ops.Op.Pause();
        var unit = Tensor.OneHot(Tensor.Arange(In, DType.I32, Device), In);
        return call.Return(unit.ShuffleLinear(_first.Value, _second.Value).Transpose().Contiguous());
    }
}

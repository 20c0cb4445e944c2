using Sfn.Autograd;

namespace Sfn.Nn;

/// <summary>
/// W = lr·bd(blkdiag) with blkdiag [blocks, rank/blocks, in/blocks] and lr [out, rank]: rank·(out + in/blocks) parameters. Starts with
/// orthonormal blocks and an orthonormal lr. With one block it is <see cref="LowRank"/>.
/// </summary>
public sealed class BlockDense : Module, ILinear
{
    private readonly Parameter _blocks, _dense;

    /// <summary>A block-dense map inside <paramref name="parent"/>.</summary>
    public BlockDense(Module parent, string name, int @in, int @out, int blocks, int rank, Init init) : base(parent, name)
    {
        (In, Out, Blocks, Rank) = (@in, @out, blocks, rank);
        Ffn.BlockDense(blocks, rank).Validate(Path, @in, @out);
        using var scope = Scope.Open("BlockDense");
        _blocks = Matrix("blkdiag", init.OrthonormalBlocks($"{Path}.blkdiag", blocks, rank / blocks, @in / blocks));
        _dense = Matrix("lr", init.OrthonormalBlocks($"{Path}.lr", 1, @out, rank).Reshape(@out, rank));
        Factors = [_blocks, _dense];
    }

    /// <inheritdoc/>
    public int In { get; }

    /// <inheritdoc/>
    public int Out { get; }

    /// <summary>Number of diagonal blocks.</summary>
    public int Blocks { get; }

    /// <summary>Width between the factors.</summary>
    public int Rank { get; }

    /// <inheritdoc/>
    public long ParameterCount => (long)Rank * (Out + In / Blocks);

    /// <inheritdoc/>
    public IReadOnlyList<Parameter> Factors { get; }

    /// <inheritdoc/>
    public Tensor Apply(Tensor x, Tensor? bias = null, Tensor? residual = null)
    {
        using var call = Enter();
        return call.Return(x.BlockLinear(_blocks.Reading, Numerics.MatMul).Linear(_dense.Reading, bias, residual, Numerics.MatMul));
    }

    /// <inheritdoc/>
    public Tensor Merge()
    {
        using var call = Enter();
        // Column block κ of W is L_κ·V_κ: [blocks, out, rank/blocks] × [blocks, rank/blocks, in/blocks].
        var columns = _dense.Value.Detach().Reshape(Out, Blocks, Rank / Blocks).Transpose(0, 1);
        return call.Return(columns.MatMul(_blocks.Value.Detach()).Transpose(0, 1).Reshape(Out, In));
    }
}

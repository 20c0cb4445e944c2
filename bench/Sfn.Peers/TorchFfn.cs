using Sfn.Nn;
using TorchSharp.Modules;
using F = TorchSharp.torch.nn.functional;
using Torch = TorchSharp.torch;

namespace Sfn.Peers;

/// <summary>The feedforward in torch's ops, with a copy of the weights of ours: up, GELU (tanh), down, both with bias.</summary>
internal sealed class TorchFfn(FeedForward ffn)
{
    private readonly TorchLinear _up = new(ffn.Up), _down = new(ffn.Down);

    /// <summary>Factors and bias of up, then of down.</summary>
    public IReadOnlyList<Parameter> Parameters => [.. _up.Parameters, .. _down.Parameters];

    public Torch.Tensor Apply(Torch.Tensor x) => _down.Apply(F.gelu(_up.Apply(x), TorchSharp.Modules.GELU.Approximate.tanh));
}

/// <summary>One linear map in any of the structures, written as a user of torch would: bmm over the blocks, reshapes for the shuffles.</summary>
internal sealed class TorchLinear(Biased layer)
{
    private readonly ILinear _map = layer.Map;
    private readonly Parameter[] _factors = [.. layer.Map.Factors.Select(factor => factor.Value.ToTorchParameter())];
    private readonly Parameter _bias = layer.Bias!.Value.ToTorchParameter();

    public IReadOnlyList<Parameter> Parameters => [.. _factors, _bias];

    // x [tokens, in] → [tokens, out].
    public Torch.Tensor Apply(Torch.Tensor x) => _map switch
    {
        LowRank => F.linear(F.linear(x, _factors[0]), _factors[1], _bias),
        BlockDense => F.linear(Blocks(x, _factors[0]), _factors[1], _bias),
        BlockShuffle => Shuffle(x, _factors[0], _factors[1]) + _bias,
        _ => F.linear(x, _factors[0], _bias),
    };

    // A block-diagonal map: w [blocks, out/blocks, in/blocks].
    private static Torch.Tensor Blocks(Torch.Tensor x, Torch.Tensor w) =>
        Torch.bmm(x.view(x.shape[0], w.shape[0], -1).transpose(0, 1), w.transpose(1, 2)).transpose(0, 1).reshape(x.shape[0], -1);

    // h[ρ·l + λ] goes to block λ, its output [λ, σ] to σ·l + λ.
    private static Torch.Tensor Shuffle(Torch.Tensor x, Torch.Tensor first, Torch.Tensor second)
    {
        long l = second.shape[0];
        var z = Blocks(x, first).view(x.shape[0], -1, l).permute(2, 0, 1);
        return Torch.bmm(z, second.transpose(1, 2)).permute(1, 2, 0).reshape(x.shape[0], -1);
    }
}

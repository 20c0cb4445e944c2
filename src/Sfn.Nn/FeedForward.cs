using Sfn.Backends;

namespace Sfn.Nn;

/// <summary>
/// The feedforward: up, activation, down, with both matrices in the chosen parametrization. With SwiGLU the up matrix makes gate and value
/// side by side, and silu(gate)·value goes down.
/// </summary>
public sealed class FeedForward : Module
{
    private readonly TransformerConfig _config;

    /// <summary>The feedforward of one block inside <paramref name="parent"/>.</summary>
    public FeedForward(Module parent, string name, TransformerConfig config, FfnConfig structure, Init init) : base(parent, name)
    {
        _config = config;
        Up = new Biased(this, "up", structure, config.Width, config.UpWidth, config.Bias, init);
        Down = new Biased(this, "down", structure, config.HiddenWidth, config.Width, config.Bias, init);
    }

    /// <summary>width → hidden (twice that for SwiGLU).</summary>
    public Biased Up { get; }

    /// <summary>hidden → width.</summary>
    public Biased Down { get; }

    /// <summary>x [.., width] (normalized) → [.., width] + residual.</summary>
    public Tensor Apply(Tensor x, Tensor? residual = null)
    {
        using var call = Enter();
        int hidden = _config.HiddenWidth;
        var h = Up.Apply(x);
        h = _config.Activation == ActivationKind.SwiGlu
            ? h.Narrow(h.Rank - 1, 0, hidden).SwiGlu(h.Narrow(h.Rank - 1, hidden, hidden))
            : h.Gelu();
        return call.Return(Down.Apply(h, residual));
    }
}

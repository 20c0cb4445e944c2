using System.Runtime.InteropServices;
using Sfn.Autograd;
using Sfn.Backends;

namespace Sfn.Train;

/// <summary>Settings of <see cref="Sgd"/>.</summary>
public sealed record SgdOptions
{
    /// <summary>How much of the last step's direction goes on, 0 to below 1.</summary>
    public double Momentum { get; init; }

    /// <summary>L2 decay as in torch's SGD: decay·p is added to the gradient.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Which parameters decay.</summary>
    public DecayGroup Decay { get; init; } = DecayGroup.All;
}

/// <summary>Stochastic gradient descent with momentum, in torch's form: g ← g + decay·p, m ← momentum·m + g, p ← p − lr·m.</summary>
public sealed class Sgd : Optimizer
{
    private readonly Tensor _m;

    /// <summary>Takes over the parameters' storage and makes the momentum, zero.</summary>
    /// <param name="parameters">Float32 parameters of one device, with different names.</param>
    /// <param name="options">Settings; null for the defaults.</param>
    public Sgd(IReadOnlyList<Parameter> parameters, SgdOptions? options = null) : base(parameters, (options ?? new()).Decay, SgdSettings.Count)
    {
        Options = options ?? new();
        if (!(Options.Momentum >= 0 && Options.Momentum < 1))
            throw new ArgumentOutOfRangeException(nameof(options), $"The momentum must be at least 0 and below 1, not {Options.Momentum}.");
        _m = Flat.Zeros();
        Moments = Views("sgd.m", _m);
    }

    /// <summary>The settings.</summary>
    public SgdOptions Options { get; }

    internal override IReadOnlyList<(string Name, Tensor Value)> Moments { get; }

    private protected override string Prefix => "sgd";

    private protected override void Write(Span<float> settings, double rate, bool decays, int step)
        => MemoryMarshal.Write(MemoryMarshal.AsBytes(settings), new SgdSettings(rate, Options.Momentum, decays ? Options.WeightDecay : 0));

    private protected override void Update(int begin, int end, in View? shadow, in View settings, Tensor scale)
    {
        View p = Flat.Range(Flat.Values, begin, end), g = Flat.Range(Flat.Gradients, begin, end), m = Flat.Range(_m, begin, end);
        if (Kernels is { } kernels)
        {
            kernels.Sgd(new() { P = p, G = g, M = m, Shadow = shadow, Scale = scale.View }, settings);
            return;
        }
        // The first three floats of SgdSettings, in their order.
        Tensor step = new(settings.Select(0, 0)), keep = new(settings.Select(0, 1)), decay = new(settings.Select(0, 2));
        Tensor value = new(p), momentum = new(m);
        var newMomentum = momentum * keep + (new Tensor(g) * scale + value * decay);
        var changed = value - newMomentum * step;
        value.Backend.Copy(changed.View, p);
        value.Backend.Copy(newMomentum.View, m);
    }
}

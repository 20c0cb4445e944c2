using Sfn.Autograd;

namespace Sfn.Train;

/// <summary>Settings of <see cref="AdamW"/>.</summary>
public sealed record AdamWOptions
{
    /// <summary>Decay rate of the mean of gradients, 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay rate of the mean of squared gradients, 0 to below 1.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Added to the root, outside of it.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled decay: a step multiplies a parameter by 1 − rate·decay first.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Which parameters decay.</summary>
    public DecayGroup Decay { get; init; } = DecayGroup.All;
}

/// <summary>
/// AdamW: p ← p·(1 − lr·decay) − lr·m̂/(√v̂ + ε) with m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g² and the bias corrections m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
/// Loshchilov and Hutter 2019 (arXiv 1711.05101), in torch's order of operations.
/// </summary>
public sealed class AdamW : Optimizer
{
    private readonly Tensor _m, _v;

    /// <summary>Takes over the parameters' storage and makes both moments, zero.</summary>
    /// <param name="parameters">Float32 parameters of one device, with different names.</param>
    /// <param name="options">Settings; null for the defaults.</param>
    public AdamW(IReadOnlyList<Parameter> parameters, AdamWOptions? options = null) : base(parameters, (options ?? new()).Decay)
    {
        Options = options ?? new();
        Rate(Options.Beta1);
        Rate(Options.Beta2);
        _m = Flat.Zeros();
        _v = Flat.Zeros();
        Moments = [.. Views("adamw.m", _m), .. Views("adamw.v", _v)];
    }

    /// <summary>The settings.</summary>
    public AdamWOptions Options { get; }

    internal override IReadOnlyList<(string Name, Tensor Value)> Moments { get; }

    private protected override string Prefix => "adamw";

    private protected override void Update(int begin, int end, double rate, bool decays, int step, double scale)
    {
        View p = Flat.Range(Flat.Values, begin, end), g = Flat.Range(Flat.Gradients, begin, end);
        View m = Flat.Range(_m, begin, end), v = Flat.Range(_v, begin, end);
        double decay = decays ? Options.WeightDecay : 0;
        double correction1 = 1 - Math.Pow(Options.Beta1, step), correction2 = 1 - Math.Pow(Options.Beta2, step);
        if (Kernels is { } kernels)
        {
            kernels.AdamW(p, g, m, v, rate, Options.Beta1, Options.Beta2, Options.Epsilon, decay, correction1, correction2, scale);
            return;
        }
        Tensor value = new(p), mean = new(m), square = new(v), gradient = new Tensor(g) * scale;
        var newMean = mean * Options.Beta1 + gradient * (1 - Options.Beta1);
        var newSquare = square * Options.Beta2 + gradient.Square() * (1 - Options.Beta2);
        var root = newSquare.Sqrt() * (1 / Math.Sqrt(correction2)) + Options.Epsilon;
        var changed = value * (1 - rate * decay) - newMean / root * (rate / correction1);
        value.Backend.Copy(changed.View, p);
        value.Backend.Copy(newMean.View, m);
        value.Backend.Copy(newSquare.View, v);
    }

    private static void Rate(double beta)
    {
        if (!(beta >= 0 && beta < 1)) throw new ArgumentOutOfRangeException(nameof(beta), $"AdamW's decay rates must be at least 0 and below 1, not {beta}.");
    }
}

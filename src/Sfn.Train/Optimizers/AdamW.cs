using System.Runtime.InteropServices;
using Sfn.Autograd;
using Sfn.Backends;

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
    public AdamW(IReadOnlyList<Parameter> parameters, AdamWOptions? options = null) : base(parameters, (options ?? new()).Decay, AdamWSettings.Count)
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

    private protected override void Write(Span<float> settings, double rate, bool decays, int step) => MemoryMarshal.Write(
        MemoryMarshal.AsBytes(settings),
        new AdamWSettings(rate, Options.Beta1, Options.Beta2, Options.Epsilon, decays ? Options.WeightDecay : 0, step));

    private protected override void Update(int begin, int end, in View? shadow, in View settings, Tensor scale)
    {
        View p = Flat.Range(Flat.Values, begin, end), g = Flat.Range(Flat.Gradients, begin, end);
        View m = Flat.Range(_m, begin, end), v = Flat.Range(_v, begin, end);
        if (Kernels is { } kernels)
        {
            kernels.AdamW(new() { P = p, G = g, M = m, V = v, Shadow = shadow, Scale = scale.View }, settings);
            return;
        }
        // The eight floats of AdamWSettings, in their order.
        var of = new Tensor[AdamWSettings.Count];
        for (int i = 0; i < of.Length; i++) of[i] = new Tensor(settings.Select(0, i));
        var (decay, keep1, keep2, add1, add2, step, root2, epsilon) = (of[0], of[1], of[2], of[3], of[4], of[5], of[6], of[7]);
        Tensor value = new(p), mean = new(m), square = new(v), gradient = new Tensor(g) * scale;
        var newMean = mean * keep1 + gradient * add1;
        var newSquare = square * keep2 + gradient.Square() * add2;
        var changed = value * decay - newMean / (newSquare.Sqrt() * root2 + epsilon) * step;
        value.Backend.Copy(changed.View, p);
        value.Backend.Copy(newMean.View, m);
        value.Backend.Copy(newSquare.View, v);
    }

    private static void Rate(double beta)
    {
        if (!(beta >= 0 && beta < 1)) throw new ArgumentOutOfRangeException(nameof(beta), $"AdamW's decay rates must be at least 0 and below 1, not {beta}.");
    }
}

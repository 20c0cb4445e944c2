using System.Runtime.InteropServices;

namespace Sfn.Backends;

/// <summary>The operands of an AdamW step: flat and dense, of one length, float32 but for the shadow.</summary>
public readonly struct AdamWViews
{
    /// <summary>Parameters.</summary>
    public View P { get; init; }

    /// <summary>Gradients.</summary>
    public View G { get; init; }

    /// <summary>Means of the gradients.</summary>
    public View M { get; init; }

    /// <summary>Means of the squared gradients.</summary>
    public View V { get; init; }

    /// <summary>BF16: takes the new parameters, rounded to nearest even, in the same pass.</summary>
    public View? Shadow { get; init; }

    /// <summary>One number on the device that multiplies every gradient: the clipping.</summary>
    public View Scale { get; init; }
}

/// <summary>The operands of a step of SGD: flat, dense, float32, of one length.</summary>
public readonly struct SgdViews
{
    /// <summary>Parameters.</summary>
    public View P { get; init; }

    /// <summary>Gradients.</summary>
    public View G { get; init; }

    /// <summary>Momentum.</summary>
    public View M { get; init; }

    /// <summary>BF16: takes the new parameters, rounded to nearest even, in the same pass.</summary>
    public View? Shadow { get; init; }

    /// <summary>One number on the device that multiplies every gradient: the clipping.</summary>
    public View Scale { get; init; }
}

/// <summary>
/// What varies between AdamW steps, as it lies in device memory: eight floats in this order. The host computes them in float64 (1 − β₂ in float32 would be
/// off by 5e-5), so that a kernel needs no powers, and a replayed step finds new ones.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct AdamWSettings
{
    /// <summary>Number of floats.</summary>
    public const int Count = 8;

    /// <summary>The settings of one step.</summary>
    /// <param name="rate">Learning rate.</param>
    /// <param name="beta1">Decay rate of the mean.</param>
    /// <param name="beta2">Decay rate of the mean of squares.</param>
    /// <param name="epsilon">Added to the root.</param>
    /// <param name="decay">Decoupled weight decay.</param>
    /// <param name="step">Number of the step, from 1: the bias corrections are 1 − βᵗ.</param>
    public AdamWSettings(double rate, double beta1, double beta2, double epsilon, double decay, int step)
    {
        Decay = (float)(1 - rate * decay);
        Keep1 = (float)beta1;
        Keep2 = (float)beta2;
        Add1 = (float)(1 - beta1);
        Add2 = (float)(1 - beta2);
        Step = (float)(rate / (1 - Math.Pow(beta1, step)));
        Root2 = (float)(1 / Math.Sqrt(1 - Math.Pow(beta2, step)));
        Epsilon = (float)epsilon;
    }

    /// <summary>1 − rate·decay, multiplies the parameter first.</summary>
    public float Decay { get; }

    /// <summary>β₁.</summary>
    public float Keep1 { get; }

    /// <summary>β₂.</summary>
    public float Keep2 { get; }

    /// <summary>1 − β₁.</summary>
    public float Add1 { get; }

    /// <summary>1 − β₂.</summary>
    public float Add2 { get; }

    /// <summary>rate / (1 − β₁ᵗ).</summary>
    public float Step { get; }

    /// <summary>1 / √(1 − β₂ᵗ).</summary>
    public float Root2 { get; }

    /// <summary>ε.</summary>
    public float Epsilon { get; }
}

/// <summary>What varies between steps of SGD, as it lies in device memory: three floats in this order and one to fill up.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct SgdSettings
{
    /// <summary>Number of floats.</summary>
    public const int Count = 4;

    /// <summary>The settings of one step.</summary>
    public SgdSettings(double rate, double momentum, double decay) => (Step, Momentum, Decay, _unused) = ((float)rate, (float)momentum, (float)decay, 0);

    /// <summary>Learning rate.</summary>
    public float Step { get; }

    /// <summary>How much of the last direction stays.</summary>
    public float Momentum { get; }

    /// <summary>L2 decay.</summary>
    public float Decay { get; }

    // Memory follows the text: it must stay the last.
    private readonly float _unused;
}

/// <summary>Optional: optimizer steps in one pass over flat storage. Everything that changes from step to step is read from device memory.</summary>
public interface IOptimizerKernels
{
    /// <summary>
    /// One AdamW step (Loshchilov and Hutter 2019, torch's order) with g = Scale·G: M ← Keep1·M + Add1·g; V ← Keep2·V + Add2·g²;
    /// P ← P·Decay − Step·M/(√V·Root2 + Epsilon); Shadow ← P.
    /// </summary>
    /// <param name="views">The flat storage.</param>
    /// <param name="settings">Float32 [8] on the device, dense: <see cref="AdamWSettings"/>.</param>
    void AdamW(in AdamWViews views, in View settings);

    /// <summary>One step of SGD as torch does it: g = Scale·G + Decay·P; M ← Momentum·M + g; P ← P − Step·M; Shadow ← P.</summary>
    /// <param name="views">The flat storage.</param>
    /// <param name="settings">Float32 [4] on the device, dense: <see cref="SgdSettings"/>.</param>
    void Sgd(in SgdViews views, in View settings);
}

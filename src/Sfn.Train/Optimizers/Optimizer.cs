using Sfn.Autograd;
using Sfn.Backends;

namespace Sfn.Train;

/// <summary>Which parameters weight decay applies to.</summary>
public enum DecayGroup
{
    /// <summary>All parameters, as in the paper.</summary>
    All,

    /// <summary>Parameters of two and more dimensions: biases and norms do not decay.</summary>
    Matrices,
}

/// <summary>
/// Changes parameters by their gradients. Making one moves all values and gradients into flat storage, so that a step is one pass over memory.
/// </summary>
/// <remarks>A parameter that is frozen, or that backward has not reached, is left as it is: neither its value nor its state changes.</remarks>
public abstract class Optimizer
{
    private readonly FlatParameters _flat;
    private double _scale = 1;

    private protected Optimizer(IReadOnlyList<Parameter> parameters, DecayGroup decay)
    {
        _flat = new FlatParameters(parameters, decay);
        Parameters = parameters;
        Steps = new int[parameters.Count];
        Kernels = parameters[0].Value.Backend as IOptimizerKernels;
    }

    /// <summary>The parameters, in the order given.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The state by name, for checkpoints: moments as live views of float32, and the steps each parameter has taken as an I32 vector.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> State => [.. Moments, (Prefix + ".steps", Tensor.From(StepsInOrder()))];

    /// <summary>Whether the squares of all parameters have a finite sum.</summary>
    public bool IsFinite => _flat.IsFinite();

    private protected FlatParameters Flat => _flat;

    private protected IOptimizerKernels? Kernels { get; }

    /// <summary>Steps each segment has taken.</summary>
    private protected int[] Steps { get; }

    private protected abstract string Prefix { get; }

    /// <summary>The state as live views: what a checkpoint writes and reads in place.</summary>
    internal abstract IReadOnlyList<(string Name, Tensor Value)> Moments { get; }

    internal string StepsName => Prefix + ".steps";

    /// <summary>The norm of all gradients together: √Σg².</summary>
    public double GradientNorm() => Math.Sqrt(_flat.SumSquares());

    /// <summary>
    /// Scales the gradients of the coming <see cref="Step"/> by min(1, max / (norm + 1e-6)), as torch's clip_grad_norm_ does; the scaling itself is part of
    /// the step.
    /// </summary>
    /// <param name="max">Largest norm; 0 or less: no clipping.</param>
    /// <returns>The norm before clipping.</returns>
    public double ClipNorm(float max)
    {
        double norm = GradientNorm();
        _scale = max > 0 ? Math.Min(1, max / (norm + 1e-6)) : 1;
        return norm;
    }

    /// <summary>Changes the parameters and clears their gradients.</summary>
    /// <param name="learningRate">The rate of this step.</param>
    /// <exception cref="InvalidOperationException">No parameter has a gradient.</exception>
    public void Step(float learningRate)
    {
        var segments = _flat.Segments;
        bool any = false;
        using var scope = Scope.Open("Optimizer.Step");
        for (int begin = 0; begin < segments.Length;)
        {
            if (!_flat.Takes(begin))
            {
                begin++;
                continue;
            }
            // One pass for all neighbours with the same decay and the same bias correction: normally everything, or one pass per group.
            int end = begin + 1;
            while (end < segments.Length && _flat.Takes(end) && segments[end].Decays == segments[begin].Decays && Steps[end] == Steps[begin]) end++;
            Update(begin, end, learningRate, segments[begin].Decays, ++Steps[begin], _scale);
            if (_flat.Shadows is { } shadows) shadows.Backend.Copy(_flat.Range(_flat.Values, begin, end), _flat.Range(shadows, begin, end));
            for (int i = begin + 1; i < end; i++) Steps[i] = Steps[begin];
            any = true;
            begin = end;
        }
        if (!any) throw new InvalidOperationException("No parameter has a gradient. Call tape.Backward(loss) before the optimizer's step.");
        foreach (var segment in segments)
        {
            if (segment.Parameter is { Frozen: false, Gradient: not null })
            {
                segment.Parameter.MarkChanged();
                segment.Parameter.MarkShadowed();
            }
            segment.Parameter.ClearGradient();
        }
        _scale = 1;
    }

    /// <summary>Forgets all gradients without a step.</summary>
    public void ClearGradients()
    {
        foreach (var parameter in Parameters) parameter.ClearGradient();
        _scale = 1;
    }

    /// <summary>Steps by parameter in the order given.</summary>
    internal int[] StepsInOrder()
    {
        int[] steps = new int[Parameters.Count];
        for (int i = 0; i < steps.Length; i++) steps[i] = Steps[SegmentOf(Parameters[i])];
        return steps;
    }

    /// <summary>The reverse of <see cref="StepsInOrder"/>.</summary>
    internal void SetSteps(ReadOnlySpan<int> steps)
    {
        for (int i = 0; i < Parameters.Count; i++) Steps[SegmentOf(Parameters[i])] = steps[i];
    }

    /// <summary>Changes the segments from begin up to end, which have gradients.</summary>
    private protected abstract void Update(int begin, int end, double rate, bool decays, int step, double scale);

    /// <summary>The moments of all parameters, named prefix/parameter.</summary>
    private protected (string Name, Tensor Value)[] Views(string prefix, Tensor flat)
    {
        var views = new (string, Tensor)[Parameters.Count];
        for (int i = 0; i < views.Length; i++)
            views[i] = ($"{prefix}/{Parameters[i].Name}", FlatParameters.View(flat, _flat.Segments[SegmentOf(Parameters[i])]));
        return views;
    }

    private int SegmentOf(Parameter parameter)
    {
        var segments = _flat.Segments;
        for (int i = 0; i < segments.Length; i++) if (ReferenceEquals(segments[i].Parameter, parameter)) return i;
        throw new ArgumentException($"{parameter.Name} is not one of this optimizer's parameters.", nameof(parameter));
    }
}

using System.Runtime.InteropServices;
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
    private readonly Tensor _settings, _sum, _norm, _scale, _one;
    private readonly float[] _numbers;
    private readonly List<Pass> _passes = [];
    private readonly int _width;
    private bool _clipped;

    private protected Optimizer(IReadOnlyList<Parameter> parameters, DecayGroup decay, int width)
    {
        _flat = new FlatParameters(parameters, decay);
        Parameters = parameters;
        Steps = new int[parameters.Count];
        Kernels = parameters[0].Value.Backend as IOptimizerKernels;
        _width = width;
        _numbers = new float[parameters.Count * width];
        _settings = Tensor.Zeros([parameters.Count, width], DType.F32, _flat.Device).Keep();
        _one = Tensor.Ones([], DType.F32, _flat.Device).Keep();
        (_sum, _norm, _scale) = (Scalar(), Scalar(), Scalar());
    }

    /// <summary>The parameters, in the order given.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The state by name, for checkpoints: moments as live views of float32, and the steps each parameter has taken as an I32 vector.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> State => [.. Moments, (Prefix + ".steps", Tensor.From(StepsInOrder()))];

    /// <summary>Whether the squares of all parameters have a finite sum. The host waits for the device.</summary>
    public bool IsFinite => _flat.IsFinite();

    private protected FlatParameters Flat => _flat;

    private protected IOptimizerKernels? Kernels { get; }

    /// <summary>Steps each segment has taken.</summary>
    private protected int[] Steps { get; }

    private protected abstract string Prefix { get; }

    /// <summary>The state as live views: what a checkpoint writes and reads in place.</summary>
    internal abstract IReadOnlyList<(string Name, Tensor Value)> Moments { get; }

    internal string StepsName => Prefix + ".steps";

    /// <summary>What <see cref="GradientNorm"/> or <see cref="ClipNorm"/> has found last.</summary>
    internal Tensor Norm => _norm;

    /// <summary>The norm of all gradients together, √Σg², as one float32 on the device: nothing waits until it is read with <see cref="Tensor.Item"/>.</summary>
    /// <returns>The optimizer's own tensor, which the next call of this or of <see cref="ClipNorm"/> overwrites.</returns>
    public Tensor GradientNorm()
    {
        using var scope = Scope.Open("Optimizer.GradientNorm");
        _flat.SumSquares(_sum);
        _norm.Backend.Copy(_sum.Sqrt().View, _norm.View);
        return _norm;
    }

    /// <summary>
    /// Scales the gradients of the coming <see cref="Step"/> by min(1, max / (norm + 1e-6)), as torch's clip_grad_norm_ does; the scaling itself is part of
    /// the step. Norm and factor stay on the device.
    /// </summary>
    /// <param name="max">Largest norm; 0 or less: no clipping.</param>
    /// <returns>The norm before clipping, as <see cref="GradientNorm"/> gives it.</returns>
    public Tensor ClipNorm(float max)
    {
        using var scope = Scope.Open("Optimizer.ClipNorm");
        var norm = GradientNorm();
        _clipped = max > 0;
        if (_clipped) _scale.Backend.Copy((max / (norm + 1e-6)).Clamp(0, 1).View, _scale.View);
        return norm;
    }

    /// <summary>Changes the parameters and clears their gradients. The host does not wait for the device.</summary>
    /// <param name="learningRate">The rate of this step.</param>
    /// <exception cref="InvalidOperationException">No parameter has a gradient.</exception>
    public void Step(float learningRate)
    {
        Plan();
        Advance(learningRate);
        Apply();
        Finish();
    }

    /// <summary>Decides what a step changes: the parameters that have gradients, in passes of one decay and one bias correction.</summary>
    internal void Plan()
    {
        var segments = _flat.Segments;
        _passes.Clear();
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
            _passes.Add(new(begin, end));
            begin = end;
        }
        if (_passes.Count == 0) throw new InvalidOperationException("No parameter has a gradient. Call tape.Backward(loss) before the optimizer's step.");
    }

    /// <summary>Throws if a step now would not change what the planned one does.</summary>
    internal void RequirePlan()
    {
        int i = 0;
        var segments = _flat.Segments;
        for (int segment = 0; segment < segments.Length; segment++)
        {
            bool planned = i < _passes.Count && segment >= _passes[i].Begin;
            if (_flat.Takes(segment) != planned)
                throw new InvalidOperationException($"{segments[segment].Parameter.Name} {(planned ? "had" : "had no")} gradient in the step before, and now it is different. " +
                    "A step can be captured only while the same parameters take part: freeze before the first step.");
            if (planned && segment + 1 == _passes[i].End) i++;
        }
    }

    /// <summary>Brings the numbers of the planned step to the device: the only upload of a step.</summary>
    internal void Advance(float learningRate)
    {
        var segments = _flat.Segments;
        for (int i = 0; i < _passes.Count; i++)
        {
            int first = _passes[i].Begin;
            Write(_numbers.AsSpan(i * _width, _width), learningRate, segments[first].Decays, Steps[first] + 1);
        }
        _settings.Backend.Upload(MemoryMarshal.AsBytes(_numbers.AsSpan(0, _passes.Count * _width)), _settings.View.Narrow(0, 0, _passes.Count));
    }

    /// <summary>The planned step on the device, without any help of the host.</summary>
    internal void Apply()
    {
        using var scope = Scope.Open("Optimizer.Step");
        var scale = _clipped ? _scale : _one;
        for (int i = 0; i < _passes.Count; i++)
        {
            var (begin, end) = _passes[i];
            View? shadow = _flat.Shadows is { } shadows ? _flat.Range(shadows, begin, end) : null;
            Update(begin, end, shadow, _settings.View.Select(0, i), scale);
            // Kernels have rounded the new values in the same pass.
            if (Kernels is null && shadow is { } view) scale.Backend.Copy(_flat.Range(_flat.Values, begin, end), view);
        }
    }

    /// <summary>Counts the step and clears the gradients.</summary>
    internal void Finish()
    {
        foreach (var (begin, end) in _passes)
        {
            for (int i = begin; i < end; i++)
            {
                Steps[i]++;
                var parameter = _flat.Segments[i].Parameter;
                parameter.MarkChanged();
                parameter.MarkShadowed();
            }
        }
        ClearGradients();
    }

    /// <summary>Forgets all gradients without a step.</summary>
    public void ClearGradients()
    {
        foreach (var parameter in Parameters) parameter.ClearGradient();
        _clipped = false;
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

    /// <summary>
    /// Changes the segments from begin up to end, which have gradients; all numbers are on the device. With <see cref="Kernels"/> the rounded values go to
    /// <paramref name="shadow"/> in the same pass.
    /// </summary>
    private protected abstract void Update(int begin, int end, in View? shadow, in View settings, Tensor scale);

    /// <summary>The numbers that <see cref="Update"/> reads for step number <paramref name="step"/>, from 1.</summary>
    private protected abstract void Write(Span<float> settings, double rate, bool decays, int step);

    /// <summary>The moments of all parameters, named prefix/parameter.</summary>
    private protected (string Name, Tensor Value)[] Views(string prefix, Tensor flat)
    {
        var views = new (string, Tensor)[Parameters.Count];
        for (int i = 0; i < views.Length; i++)
            views[i] = ($"{prefix}/{Parameters[i].Name}", FlatParameters.View(flat, _flat.Segments[SegmentOf(Parameters[i])]));
        return views;
    }

    private Tensor Scalar() => Tensor.Zeros([], DType.F32, _flat.Device).Keep();

    private int SegmentOf(Parameter parameter)
    {
        var segments = _flat.Segments;
        for (int i = 0; i < segments.Length; i++) if (ReferenceEquals(segments[i].Parameter, parameter)) return i;
        throw new ArgumentException($"{parameter.Name} is not one of this optimizer's parameters.", nameof(parameter));
    }

    private readonly record struct Pass(int Begin, int End);
}

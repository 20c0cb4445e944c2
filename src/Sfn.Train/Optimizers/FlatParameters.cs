using Sfn.Autograd;
using Sfn.Ops;

namespace Sfn.Train;

/// <summary>Where one parameter lies in flat storage.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="Decays">Whether weight decay applies to it.</param>
/// <param name="Offset">First element, a multiple of 16.</param>
/// <param name="Padded">Elements up to the next parameter.</param>
internal readonly record struct Segment(Parameter Parameter, bool Decays, int Offset, int Padded);

/// <summary>
/// Moves the values and gradients of all parameters into two flat float32 tensors, so that the gradient's norm and an optimizer's step are each one pass
/// over memory. Segments begin at 64-byte boundaries; the padding is zero and stays zero. Parameters that decay come first.
/// </summary>
internal sealed class FlatParameters
{
    private const int Alignment = 16;
    private const long WorthCollecting = 16 << 20;   // bytes
    private readonly Segment[] _segments;

    /// <exception cref="ArgumentException">No parameters, one twice, or two of one name.</exception>
    /// <exception cref="DTypeMismatch">A parameter is not float32.</exception>
    /// <exception cref="DeviceMismatch">They live on different devices.</exception>
    public FlatParameters(IReadOnlyList<Parameter> parameters, DecayGroup decay)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Count == 0) throw new ArgumentException("An optimizer needs at least one parameter.", nameof(parameters));
        Device = parameters[0].Value.Device;
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var parameter in parameters)
        {
            if (!names.Add(parameter.Name))
                throw new ArgumentException($"The parameter {parameter.Name} is given twice; names must differ.", nameof(parameters));
            if (parameter.Value.DType != DType.F32)
                throw new DTypeMismatch($"Parameter {parameter.Name} is {parameter.Value.DType.Name()}; optimizers change float32 parameters.");
            if (parameter.Value.Device != Device)
                throw new DeviceMismatch($"Parameter {parameter.Name} is on {parameter.Value.Device}, {parameters[0].Name} on {Device}.");
        }
        _segments = new Segment[parameters.Count];
        long offset = 0;
        int n = 0;
        bool Decays(Parameter p) => decay == DecayGroup.All || p.Shape.Rank >= 2;
        foreach (var parameter in parameters.OrderByDescending(Decays))
        {
            long padded = (parameter.Count + Alignment - 1) / Alignment * Alignment;
            if (offset + padded > int.MaxValue)
                throw new ArgumentException($"The parameters have more than {int.MaxValue} values; use one optimizer for each half.", nameof(parameters));
            _segments[n++] = new Segment(parameter, Decays(parameter), (int)offset, (int)padded);
            offset += padded;
        }
        Count = (int)offset;
        Values = Zeros();
        Gradients = Zeros();
        if (parameters.Any(p => p.IsShadowed)) Shadows = Tensor.Empty([Count], DType.BF16, Device).Keep();
        foreach (var segment in _segments)
            segment.Parameter.MoveTo(View(Values, segment), View(Gradients, segment), Shadows is null ? null : View(Shadows, segment));
        ReleaseOld();
    }

    // The parameters' memory from before belongs to the garbage collector, which sees only small objects and would not come: a copy
    // of the whole model would stay. Their sizes are not those of activations, so the blocks go back to the system.
    private void ReleaseOld()
    {
        if (Values.Bytes >= WorthCollecting) Memory.Reclaim(Device);
    }

    public Device Device { get; }

    /// <summary>Elements, padding included.</summary>
    public int Count { get; }

    public Tensor Values { get; }

    public Tensor Gradients { get; }

    /// <summary>All values rounded to bfloat16, if any parameter is shadowed; those that are not have a place, too: a step writes one run.</summary>
    public Tensor? Shadows { get; }

    public ReadOnlySpan<Segment> Segments => _segments;

    /// <summary>A flat tensor of zeros, kept out of all scopes, for gradients and moments.</summary>
    public Tensor Zeros() => Tensor.Zeros([Count], DType.F32, Device).Keep();

    /// <summary>A parameter's part of a flat tensor, in its own shape.</summary>
    public static Tensor View(Tensor flat, in Segment segment)
    {
        var part = flat.View.Narrow(0, segment.Offset, (int)segment.Parameter.Count);
        part.TryReshape(segment.Parameter.Shape, out var shaped);
        return new Tensor(shaped).Keep();
    }

    /// <summary>Σ g² over all parameters that have a gradient, into a scalar on the device: one reduction if all have.</summary>
    public void SumSquares(Tensor sum)
    {
        using var scope = Scope.Open("FlatParameters.SumSquares");
        bool any = false;
        for (int begin = 0; begin < _segments.Length;)
        {
            if (!Takes(begin))
            {
                begin++;
                continue;
            }
            int end = begin + 1;
            while (end < _segments.Length && Takes(end)) end++;
            var part = any ? Tensor.Empty([], DType.F32, Device) : sum;
            sum.Backend.Reduce(new SumSquares(), Range(Gradients, begin, end), part.View, 1);
            if (any) sum.Backend.AddTo(part.View, sum.View);
            any = true;
            begin = end;
        }
        if (!any) sum.Backend.Fill(sum.View, 0);
    }

    /// <summary>Whether all values are finite and far from overflow: one reduction, without memory.</summary>
    public bool IsFinite()
    {
        using var scope = Scope.Open("FlatParameters.IsFinite");
        return double.IsFinite(Reductions.Run(new SumSquares(), Values, Axes.All(1)).Item());
    }

    /// <summary>Whether a parameter takes part in a step: it is not frozen and backward has reached it.</summary>
    public bool Takes(int segment) => _segments[segment].Parameter is { Frozen: false, Gradient: not null };

    /// <summary>The part of a flat tensor from one segment up to, not including, another; with padding.</summary>
    public View Range(Tensor flat, int begin, int end)
    {
        int from = _segments[begin].Offset, to = _segments[end - 1].Offset + _segments[end - 1].Padded;
        return flat.View.Narrow(0, from, to - from);
    }
}

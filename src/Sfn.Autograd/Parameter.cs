namespace Sfn.Autograd;

/// <summary>
/// A named, mutable leaf: the value that training changes, and its gradient. The optimizer may move both into flat storage, so that a
/// step over all parameters is one pass over memory.
/// </summary>
public sealed class Parameter
{
    private Tensor? _gradient;
    private bool _hasGradient;

    /// <summary>A parameter with this initial value, which is kept out of all scopes.</summary>
    /// <param name="name">For example <c>blocks.0.ffn.up.lr1</c>.</param>
    /// <param name="value">Initial value; dense float.</param>
    public Parameter(string name, Tensor value)
    {
        if (!value.DType.IsFloat()) throw new DTypeMismatch($"Parameter {name} must be a float tensor, not {value.DType.Name()}.");
        Name = name;
        Value = Adopt(value);
    }

    /// <summary>Its path in the model.</summary>
    public string Name { get; }

    /// <summary>The current value. Use it in ops; it is what the tape recognises.</summary>
    public Tensor Value { get; private set; }

    /// <summary>Sizes of the value.</summary>
    public Shape Shape => Value.Shape;

    /// <summary>Number of values.</summary>
    public long Count => Value.Count;

    /// <summary>A frozen parameter takes no gradient and is not changed by optimizers.</summary>
    public bool Frozen { get; set; }

    /// <summary>Sum of the gradients since the last optimizer step, or null.</summary>
    public Tensor? Gradient => _hasGradient ? _gradient : null;

    /// <summary>Adds to the gradient; shapes are equal.</summary>
    public void AddGradient(Tensor gradient)
    {
        var target = GradientTarget(out bool accumulate);
        if (accumulate) target.Backend.AddTo(gradient.View, target.View);
        else target.Backend.Copy(gradient.View, target.View);
    }

    /// <summary>Forgets the gradient; its memory is kept for the next one.</summary>
    public void ClearGradient() => _hasGradient = false;

    /// <summary>Overwrites the value in place. A tape that keeps the old one for a gradient will say so.</summary>
    public void Set(Tensor value)
    {
        if (value.Shape != Shape) throw new ShapeMismatch($"Parameter {Name} has shape {Shape}, not {value.Shape}.");
        Value.Backend.Copy(value.View, Value.View);
        MarkChanged();
    }

    /// <summary>Tells tapes that the value was changed in place. Optimizers call it.</summary>
    public void MarkChanged() => Value.StorageOf.Version++;

    /// <summary>Moves value and gradient into windows of flat storage. The contents move along.</summary>
    internal void MoveTo(Tensor value, Tensor gradient)
    {
        value.Backend.Copy(Value.View, value.View);
        if (_hasGradient) gradient.Backend.Copy(_gradient!.View, gradient.View);
        Value.Leaf = null;
        Value = Adopt(value);
        _gradient = gradient.Keep();
    }

    /// <summary>Where backward writes, or adds if <paramref name="accumulate"/>.</summary>
    internal Tensor GradientTarget(out bool accumulate)
    {
        accumulate = _hasGradient;
        _hasGradient = true;
        if (_gradient is null)
        {
            using var scope = Scope.Open("Parameter.Gradient");
            _gradient = Value.EmptyLike().Keep();
        }
        return _gradient;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {Shape}";

    private Tensor Adopt(Tensor value)
    {
        var own = value.Detach().Contiguous().Keep();
        own.Leaf = this;
        return own;
    }
}

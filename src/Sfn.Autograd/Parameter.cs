namespace Sfn.Autograd;

/// <summary>
/// A named, mutable leaf: the value that training changes, and its gradient. The optimizer may move both into flat storage, so that a
/// step over all parameters is one pass over memory.
/// </summary>
public sealed class Parameter
{
    private Tensor? _gradient;
    private bool _hasGradient;

    /// <summary>
    /// A parameter with this initial value, which is kept out of all scopes. A dense tensor's memory is taken over, not copied: do not use
    /// the tensor for anything else.
    /// </summary>
    /// <param name="name">For example <c>blocks.0.ffn.up.lr1</c>.</param>
    /// <param name="value">Initial value; float.</param>
    /// <exception cref="DTypeMismatch">It is not a float tensor.</exception>
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

    /// <summary>Adds to the gradient; converts the element type if it must.</summary>
    /// <exception cref="ShapeMismatch">The shapes differ.</exception>
    /// <exception cref="DeviceMismatch">The devices differ.</exception>
    public void AddGradient(Tensor gradient)
    {
        Fits(gradient, "gradient");
        var target = GradientTarget(out bool accumulate);
        if (accumulate) target.Backend.AddTo(gradient.View, target.View);
        else target.Backend.Copy(gradient.View, target.View);
        GC.KeepAlive(gradient);
    }

    /// <summary>Forgets the gradient; its memory is kept for the next one.</summary>
    public void ClearGradient() => _hasGradient = false;

    /// <summary>Overwrites the value in place, converting the element type if it must. A tape that keeps the old one for a gradient will say so.</summary>
    /// <exception cref="ShapeMismatch">The shapes differ.</exception>
    /// <exception cref="DeviceMismatch">The devices differ.</exception>
    public void Set(Tensor value)
    {
        Fits(value, "value");
        using var scope = Scope.Open("Parameter.Set");
        // A view of the value itself, such as its transpose, would be overwritten while it is read.
        var from = value.StorageOf == Value.StorageOf ? value.Dense() : value;
        Value.Backend.Copy(from.View, Value.View);
        GC.KeepAlive(value);
        MarkChanged();
    }

    /// <summary>Tells tapes that the value was changed in place. Optimizers call it.</summary>
    public void MarkChanged() => Value.StorageOf.Version++;

    /// <summary>Moves value and gradient into windows of flat storage. The contents move along.</summary>
    internal void MoveTo(Tensor value, Tensor gradient)
    {
        value.Backend.Copy(Value.View, value.View);
        if (_hasGradient) gradient.Backend.Copy(_gradient!.View, gradient.View);
        // A tape that recorded the old value would look for its gradient in vain: let it say so where it notices.
        MarkChanged();
        Value.Leaf = null;
        Value = Adopt(value);
        _gradient = gradient.Keep();
    }

    /// <summary>Where backward writes, or adds if <paramref name="accumulate"/>.</summary>
    internal Tensor GradientTarget(out bool accumulate)
    {
        if (_gradient is null)
        {
            using var scope = Scope.Open("Parameter.Gradient");
            _gradient = Value.EmptyLike().Keep();
        }
        // Only now: without memory for it there is no gradient to add to.
        accumulate = _hasGradient;
        _hasGradient = true;
        return _gradient;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {Shape}";

    private void Fits(Tensor x, string what)
    {
        if (x.Shape != Shape) throw new ShapeMismatch($"Parameter {Name} has shape {Shape}; the {what} has {x.Shape}.");
        if (x.Device != Value.Device) throw new DeviceMismatch($"Parameter {Name} is on {Value.Device}, the {what} on {x.Device}. Move it with To(device).");
    }

    private Tensor Adopt(Tensor value)
    {
        var own = value.Detach().Contiguous().Keep();
        own.Leaf = this;
        return own;
    }
}

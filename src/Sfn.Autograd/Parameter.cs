namespace Sfn.Autograd;

/// <summary>
/// A named, mutable leaf: the value that training changes, and its gradient. The optimizer may move both into flat storage, so that a
/// step over all parameters is one pass over memory.
/// </summary>
/// <remarks>
/// In mixed precision (Micikevicius et al. 2018, arXiv 1710.03740) ops read a bfloat16 <see cref="Shadow"/> of the value. The value itself, which optimizers
/// change by less than a bfloat16 can show, and the gradient keep the parameter's own type.
/// </remarks>
public sealed class Parameter
{
    private readonly Lock _refreshing = new();
    private Tensor? _gradient, _shadow;
    private bool _hasGradient;
    private int _changes, _shadowed = -1;

    /// <summary>
    /// A parameter with this initial value, which is kept out of all scopes. A dense tensor's memory is taken over, not copied: do not use
    /// the tensor for anything else.
    /// </summary>
    /// <param name="name">For example <c>blocks.0.ffn.up.lr1</c>.</param>
    /// <param name="value">Initial value; float.</param>
    /// <param name="shadowed">Whether it has a <see cref="Shadow"/>, for a model that computes in bfloat16.</param>
    /// <exception cref="DTypeMismatch">It is not a float tensor, or is bfloat16 itself and shadowed.</exception>
    public Parameter(string name, Tensor value, bool shadowed = false)
    {
        if (!value.DType.IsFloat()) throw new DTypeMismatch($"Parameter {name} must be a float tensor, not {value.DType.Name()}.");
        if (shadowed && value.DType == DType.BF16)
            throw new DTypeMismatch($"Parameter {name} is BF16; only a wider value has a BF16 shadow. Convert it with To(DType.F32) first.");
        Name = name;
        Value = Adopt(value);
        IsShadowed = shadowed;
    }

    /// <summary>Its path in the model.</summary>
    public string Name { get; }

    /// <summary>The current value. Use it in ops; it is what the tape recognises.</summary>
    public Tensor Value { get; private set; }

    /// <summary>Whether there is a <see cref="Shadow"/>.</summary>
    public bool IsShadowed { get; }

    /// <summary>
    /// The value rounded to bfloat16, or null if the parameter is not shadowed. The optimizer's step refreshes it; after any other change, the first use does.
    /// The tape takes it for the parameter: its gradient goes to <see cref="Gradient"/>.
    /// </summary>
    public Tensor? Shadow
    {
        get
        {
            if (!IsShadowed) return null;
            if (Volatile.Read(ref _shadowed) != _changes) Refresh();
            return _shadow;
        }
    }

    /// <summary>What layers read: the <see cref="Shadow"/> if there is one, else the <see cref="Value"/>.</summary>
    public Tensor Reading => Shadow ?? Value;

    /// <summary>Sizes of the value.</summary>
    public Shape Shape => Value.Shape;

    /// <summary>Number of values.</summary>
    public long Count => Value.Count;

    /// <summary>A frozen parameter takes no gradient and is not changed by optimizers.</summary>
    public bool Frozen { get; set; }

    /// <summary>Sum of the gradients since the last optimizer step, in the value's own type, or null.</summary>
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

    /// <summary>Tells tapes and the shadow that the value was changed in place. Optimizers call it.</summary>
    public void MarkChanged()
    {
        Value.StorageOf.Version++;
        // A tape keeps the shadow in the value's place, and it is about to change.
        if (_shadow is not null) _shadow.StorageOf.Version++;
        _changes++;
    }

    /// <summary>Says that the shadow holds the present value already.</summary>
    internal void MarkShadowed() => _shadowed = _changes;

    /// <summary>
    /// Moves value and gradient, and the shadow of a shadowed parameter, into windows of flat storage. The contents of the first two move along.
    /// </summary>
    internal void MoveTo(Tensor value, Tensor gradient, Tensor? shadow = null)
    {
        value.Backend.Copy(Value.View, value.View);
        if (_hasGradient) gradient.Backend.Copy(_gradient!.View, gradient.View);
        // A tape that recorded the old value would look for its gradient in vain: let it say so where it notices.
        MarkChanged();
        Value.Leaf = null;
        Value = Adopt(value);
        _gradient = gradient.Keep();
        if (!IsShadowed) return;
        if (_shadow is not null) _shadow.Leaf = null;
        _shadow = shadow is null ? null : Adopt(shadow);
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

    private void Refresh()
    {
        // A model may be called from several threads at once; the first one that comes makes the shadow.
        lock (_refreshing)
        {
            if (_shadowed == _changes) return;
            using var pause = Ops.Op.Pause();
            using var scope = Scope.Open("Parameter.Shadow");
            _shadow ??= Adopt(Tensor.Empty(Shape, DType.BF16, Value.Device));
            Value.Backend.Copy(Value.View, _shadow.View);
            Volatile.Write(ref _shadowed, _changes);
        }
    }

    private Tensor Adopt(Tensor value)
    {
        var own = value.Detach().Contiguous().Keep();
        own.Leaf = this;
        return own;
    }
}

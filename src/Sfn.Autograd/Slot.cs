using Sfn.Ops;

namespace Sfn.Autograd;

/// <summary>The gradient of one recorded result while backward runs. Owns its storage and adds in place where nobody else looks at it.</summary>
internal sealed class Slot
{
    public Tensor? Gradient { get; private set; }

    public void Set(Tensor gradient)
    {
        gradient.StorageOf.Retain();
        Clear();
        Gradient = gradient;
    }

    public void Clear()
    {
        Gradient?.StorageOf.Release("backward");
        Gradient = null;
    }

    public void Add(Tensor gradient)
    {
        if (Gradient is null)
        {
            Set(gradient);
        }
        else
        {
            var sum = Own(Gradient);
            sum.Backend.AddTo(gradient.View, sum.View);
        }
    }

    /// <summary>A dense tensor to write into, or to add to if there is a gradient already.</summary>
    public Tensor Target(Tensor x, out bool accumulate)
    {
        accumulate = Gradient is not null;
        if (Gradient is not null) return Own(Gradient);
        var fresh = Tensor.Empty(x.Shape, x.DType, x.Device);
        Set(fresh);
        return fresh;
    }

    // A gradient may be a view of another slot's (x + y hands dy to both): copy it before the first change.
    private Tensor Own(Tensor gradient)
    {
        if (gradient.StorageOf.IsExclusive && gradient.IsContiguous) return gradient;
        var copy = gradient.EmptyLike();
        copy.Backend.Copy(gradient.View, copy.View);
        Set(copy);
        return copy;
    }
}

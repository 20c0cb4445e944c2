using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>Runs an elementwise body of two inputs as an op, with broadcasting.</summary>
public readonly struct Zip<TOp>(TOp body) : IOp where TOp : struct, IBinary
{
    /// <inheritdoc/>
    public string Name => TOp.Name;

    /// <inheritdoc/>
    public Keep Keeps => TOp.Keeps;

    /// <inheritdoc/>
    public static bool Differentiable => default(TOp) is not INotDifferentiable;

    /// <inheritdoc/>
    public Tensor Forward(in Inputs x, ref Extras extras)
    {
        Check.Same(x.A, x.B, TOp.Name);
        ref readonly View a = ref x.A.View, b = ref x.B.View;
        // Equal shapes are the common case, and a view is too large to be copied for nothing.
        if (Shape.Same(a.Shape, b.Shape))
        {
            var y = Tensor.Empty(a.Shape, a.DType, x.A.Device);
            y.Backend.Zip(body, a, b, y.View);
            return y;
        }
        var shape = Shape.Broadcast(a.Shape, b.Shape);
        var result = Tensor.Empty(shape, a.DType, x.A.Device);
        result.Backend.Zip(body, a.Expand(shape), b.Expand(shape), result.View);
        return result;
    }

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into)
    {
        var keeps = TOp.Keeps;
        ref readonly View g = ref dy.View;
        ref readonly View a = ref (keeps & Keep.A) != 0 ? ref saved.Inputs.A.View : ref g;
        ref readonly View b = ref (keeps & Keep.B) != 0 ? ref saved.Inputs.B.View : ref g;
        ref readonly View y = ref (keeps & Keep.Output) != 0 ? ref saved.Output.View : ref g;
        bool broadcast = !Shape.Same(a.Shape, g.Shape) || !Shape.Same(b.Shape, g.Shape);
        for (int i = 0; i < 2; i++)
        {
            if (!into.Needs(i)) continue;
            var dx = dy.EmptyLike();
            if (broadcast) dy.Backend.ZipGrad(body, i, a.Expand(g.Shape), b.Expand(g.Shape), y, g, dx.View);
            else dy.Backend.ZipGrad(body, i, a, b, y, g, dx.View);
            into.Add(i, dx);
        }
    }
}

/// <summary>Runs a comparison: the result is Bool and has no gradient, nor needs one.</summary>
public readonly struct Compare<TOp>(TOp body) : IOp where TOp : struct, IBinary
{
    /// <inheritdoc/>
    public string Name => TOp.Name;

    /// <inheritdoc/>
    public Keep Keeps => Keep.None;

    /// <inheritdoc/>
    public static bool Differentiable => false;

    /// <inheritdoc/>
    public Tensor Forward(in Inputs x, ref Extras extras)
    {
        Check.Same(x.A, x.B, TOp.Name);
        var shape = Shape.Broadcast(x.A.Shape, x.B.Shape);
        var y = Tensor.Empty(shape, DType.Bool, x.A.Device);
        y.Backend.Zip(body, x.A.View.Expand(shape), x.B.View.Expand(shape), y.View);
        return y;
    }

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into) => throw new NoGradient($"{TOp.Name} has no gradient.");
}

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
        var shape = Shape.Broadcast(x.A.Shape, x.B.Shape);
        var y = Tensor.Empty(shape, x.A.DType, x.A.Device);
        y.Backend.Zip(body, x.A.View.Expand(shape), x.B.View.Expand(shape), y.View);
        return y;
    }

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into)
    {
        var keeps = TOp.Keeps;
        var shape = dy.Shape;
        View a = keeps.HasFlag(Keep.A) ? saved.Inputs.A.View.Expand(shape) : dy.View;
        View b = keeps.HasFlag(Keep.B) ? saved.Inputs.B.View.Expand(shape) : dy.View;
        View y = keeps.HasFlag(Keep.Output) ? saved.Output.View : dy.View;
        for (int i = 0; i < 2; i++)
        {
            if (!into.Needs(i)) continue;
            var dx = dy.EmptyLike();
            dy.Backend.ZipGrad(body, i, a, b, y, dy.View, dx.View);
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

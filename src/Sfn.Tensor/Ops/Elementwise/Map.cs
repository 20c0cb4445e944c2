using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>Runs an elementwise body of one input as an op.</summary>
public readonly struct Map<TOp>(TOp body) : IOp where TOp : struct, IUnary
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
        Check.Float(x.A, TOp.Name);
        var y = x.A.EmptyLike();
        y.Backend.Map(body, x.A.View, y.View);
        return y;
    }

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into)
    {
        var x = TOp.Keeps.HasFlag(Keep.A) ? saved.Inputs.A : dy;
        var y = TOp.Keeps.HasFlag(Keep.Output) ? saved.Output : dy;
        var dx = into.Target(0, out bool accumulate);
        if (dx.DType == dy.DType)
        {
            dx.Backend.MapGrad(body, x.View, y.View, dy.View, dx.View, accumulate);
            return;
        }
        // The parameter's own, float32, gradient of its shadow.
        var narrow = dy.EmptyLike();
        dx.Backend.MapGrad(body, x.View, y.View, dy.View, narrow.View, accumulate: false);
        if (accumulate) dx.Backend.AddTo(narrow.View, dx.View);
        else dx.Backend.Copy(narrow.View, dx.View);
    }
}

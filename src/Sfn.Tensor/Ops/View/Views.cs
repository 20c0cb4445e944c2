using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>Another shape over the same elements; copies only if strides cannot express it.</summary>
public readonly struct Reshape(Shape shape) : IOp
{
    /// <inheritdoc/>
    public string Name => "reshape";

    /// <inheritdoc/>
    public Keep Keeps => Keep.None;

    /// <inheritdoc/>
    public Tensor Forward(in Inputs x, ref Extras extras)
    {
        if (shape.Count != x.A.Count)
            throw new ShapeMismatch($"Cannot reshape {x.A.Shape} ({x.A.Count} elements) to {shape} ({shape.Count} elements).");
        return x.A.View.TryReshape(shape, out var view) ? x.A.Over(view) : x.A.Over(Reshaped(x.A));
    }

    private View Reshaped(Tensor x)
    {
        var dense = x.Dense();
        dense.View.TryReshape(shape, out var view);
        return view;
    }

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into) => into.Add(0, dy.Reshape(saved.Inputs.A.Shape));

    /// <inheritdoc/>
    public static long Flops(in Inputs x, Tensor y) => 0;
}

/// <summary>Dimensions reordered, without a copy.</summary>
public readonly struct Permute(Shape order) : IOp
{
    /// <inheritdoc/>
    public string Name => "permute";

    /// <inheritdoc/>
    public Keep Keeps => Keep.None;

    /// <inheritdoc/>
    public Tensor Forward(in Inputs x, ref Extras extras)
    {
        Span<bool> seen = stackalloc bool[Shape.MaxRank];
        bool valid = order.Rank == x.A.Rank;
        for (int i = 0; valid && i < order.Rank; i++)
        {
            valid = order[i] < order.Rank && !seen[order[i]];
            if (valid) seen[order[i]] = true;
        }
        if (!valid) throw new ShapeMismatch($"{order} is not an order of the {x.A.Rank} dimensions of {x.A.Shape}.");
        return x.A.Over(x.A.View.Permute(order.ToArray()));
    }

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into)
    {
        Span<int> inverse = stackalloc int[order.Rank];
        for (int i = 0; i < order.Rank; i++) inverse[order[i]] = i;
        into.Add(0, dy.Over(dy.View.Permute(inverse)));
    }

    /// <inheritdoc/>
    public static long Flops(in Inputs x, Tensor y) => 0;
}

/// <summary>Sizes of 1 repeated, without a copy. The engine sums the gradient back.</summary>
public readonly struct Expand(Shape shape) : IOp
{
    /// <inheritdoc/>
    public string Name => "expand";

    /// <inheritdoc/>
    public Keep Keeps => Keep.None;

    /// <inheritdoc/>
    public Tensor Forward(in Inputs x, ref Extras extras) => x.A.Over(x.A.View.Expand(shape));

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into) => into.Add(0, dy);

    /// <inheritdoc/>
    public static long Flops(in Inputs x, Tensor y) => 0;
}

/// <summary>A run of positions of one dimension, without a copy.</summary>
public readonly struct Narrow(int dim, int start, int length) : IOp
{
    /// <inheritdoc/>
    public string Name => "slice";

    /// <inheritdoc/>
    public Keep Keeps => Keep.None;

    /// <inheritdoc/>
    public Tensor Forward(in Inputs x, ref Extras extras)
    {
        if (start < 0 || length < 0 || length > x.A.Shape[dim] - start)
            throw new ShapeMismatch($"Positions {start}..{(long)start + length} of dimension {dim} do not exist in shape {x.A.Shape}.");
        return x.A.Over(x.A.View.Narrow(dim, start, length));
    }

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into)
    {
        var dx = into.Target(0, out bool accumulate);
        if (!accumulate) dx.Backend.Fill(dx.View, 0);
        var window = dx.View.Narrow(dim, start, length);
        if (accumulate) dx.Backend.AddTo(dy.View, window);
        else dx.Backend.Copy(dy.View, window);
    }

    /// <inheritdoc/>
    public static long Flops(in Inputs x, Tensor y) => 0;
}

/// <summary>A dense copy.</summary>
public readonly struct Contiguous : IOp
{
    /// <inheritdoc/>
    public string Name => "contiguous";

    /// <inheritdoc/>
    public Keep Keeps => Keep.None;

    /// <inheritdoc/>
    public Tensor Forward(in Inputs x, ref Extras extras)
    {
        var y = x.A.EmptyLike();
        y.Backend.Copy(x.A.View, y.View);
        return y;
    }

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into) => into.Add(0, dy);

    /// <inheritdoc/>
    public static long Flops(in Inputs x, Tensor y) => 0;
}

/// <summary>Conversion to another element type: floats round to nearest even, integers are cut toward zero and saturate.</summary>
public readonly struct Cast(DType dtype) : IOp
{
    /// <inheritdoc/>
    public string Name => "cast";

    /// <inheritdoc/>
    public Keep Keeps => Keep.None;

    /// <inheritdoc/>
    public Tensor Forward(in Inputs x, ref Extras extras)
    {
        var y = Tensor.Empty(x.A.Shape, dtype, x.A.Device);
        y.Backend.Copy(x.A.View, y.View);
        return y;
    }

    /// <inheritdoc/>
    public void Backward(in Saved saved, Tensor dy, IGradients into)
    {
        var dx = into.Target(0, out bool accumulate);
        if (accumulate) dx.Backend.AddTo(dy.View, dx.View);
        else dx.Backend.Copy(dy.View, dx.View);
    }

    /// <inheritdoc/>
    public static long Flops(in Inputs x, Tensor y) => 0;
}

namespace Sfn.Autograd;

/// <summary>Compares a gradient with central differences.</summary>
/// <param name="Passed">Whether every compared entry is within tolerance.</param>
/// <param name="WorstError">Largest difference, relative to the larger of 1 and the entry.</param>
/// <param name="Index">Row-major index of the worst entry.</param>
/// <param name="Analytic">The gradient there.</param>
/// <param name="Numeric">The difference quotient there.</param>
public readonly record struct GradCheckResult(bool Passed, double WorstError, long Index, double Analytic, double Numeric)
{
    /// <inheritdoc/>
    public override string ToString() => Passed
        ? $"passed, largest error {WorstError:E1}"
        : $"FAILED at element {Index}: gradient {Analytic:G6}, difference quotient {Numeric:G6}, error {WorstError:E1}";
}

/// <summary>
/// Checks gradients numerically, in float64 on the reference device: (f(x + h) − f(x − h))/2h for every element. For ops of one's own.
/// </summary>
public static class GradCheck
{
    /// <summary>Compares the gradient of Σ f(x)·w, with fixed random weights w, with central differences.</summary>
    /// <param name="f">A function of any shape to any shape, a pure function of its argument.</param>
    /// <param name="x">Where to check; any float type and device, computed in float64 on <see cref="Device.Reference"/>.</param>
    /// <param name="step">Half the distance of the two points.</param>
    /// <param name="tolerance">Allowed error, relative to the larger of 1 and the entry.</param>
    public static GradCheckResult Check(Func<Tensor, Tensor> f, Tensor x, double step = 1e-5, double tolerance = 1e-6)
    {
        using var scope = Scope.Open("GradCheck");
        double[] values = x.To(DType.F64).ToArray<double>();
        double[] analytic;
        double[]? weights = null;
        using (var tape = new Tape())
        {
            var watched = tape.Watch(At(values, x.Shape));
            var y = f(watched);
            weights = Weights(y.Count);
            tape.Backward(y, Tensor.From(weights, y.Shape, Device.Reference));
            analytic = tape.Gradient(watched)?.ToArray<double>() ?? new double[values.Length];
        }
        double worst = -1;
        long index = 0;
        double there = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double keep = values[i];
            values[i] = keep + step;
            double above = Value(f, values, x.Shape, weights);
            values[i] = keep - step;
            double below = Value(f, values, x.Shape, weights);
            values[i] = keep;
            double numeric = (above - below) / (2 * step), error = Math.Abs(numeric - analytic[i]) / Math.Max(1, Math.Abs(numeric));
            if (error <= worst) continue;
            (worst, index, there) = (double.IsNaN(error) ? double.PositiveInfinity : error, i, numeric);
        }
        return new(worst <= tolerance, Math.Max(0, worst), index, values.Length > 0 ? analytic[index] : 0, there);
    }

    private static double Value(Func<Tensor, Tensor> f, double[] values, Shape shape, double[] weights)
    {
        using var pause = Ops.Op.Pause();
        using var scope = Scope.Open("GradCheck");
        double sum = 0;
        double[] y = f(At(values, shape)).To(DType.F64).ToArray<double>();
        for (int i = 0; i < y.Length; i++) sum += y[i] * weights[i];
        return sum;
    }

    private static Tensor At(double[] values, Shape shape) => Tensor.From<double>(values, shape, Device.Reference);

    // Different weights for every element, so that errors that cancel in a plain sum are seen.
    private static double[] Weights(long count)
    {
        double[] weights = new double[count];
        for (int i = 0; i < weights.Length; i++) weights[i] = 0.5 + Philox.Unit(Philox.At(7, (ulong)i));
        return weights;
    }
}

using Sfn.Autograd;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests.Ops;

/// <summary>How the inputs lie in memory.</summary>
public enum Layout
{
    /// <summary>Row-major, dense.</summary>
    Contiguous,
    /// <summary>Stored with the first and last dimension exchanged; a vector is stored as a column of a matrix.</summary>
    Transposed,
    /// <summary>A window of a larger tensor that is full of NaN.</summary>
    Sliced,
    /// <summary>One position along the first dimension, repeated with stride 0.</summary>
    Repeated,
    /// <summary>One element, repeated everywhere with stride 0.</summary>
    Constant,
}

/// <summary>The numbers of one run of an op: result and gradients, as float64.</summary>
public sealed record OpResult(int[] Shape, DType Type, double[] Y, double[]?[] Gradients, DType?[] GradientTypes);

/// <summary>Runs ops on any device, element type and layout, and compares.</summary>
public static class OpRun
{
    /// <summary>Seed of the upstream gradient.</summary>
    private const ulong Upstream = 1001;

    /// <summary>The device under test: the one that the environment names, else the CPU.</summary>
    public static IEnumerable<Device> Devices => [Gpu.TestDevices.Device];

    public static double[][] Inputs(OpCase c, bool brief = false) => [.. c.Args.Select((a, i) => a.Draw((ulong)(31 * i + 7), brief))];

    /// <summary>Result, and gradients of Σ y·g for a fixed random g.</summary>
    public static OpResult Run(OpCase c, double[][] inputs, DType floats, Device device, bool gradients, Func<Tensor, int, Tensor>? layout = null)
    {
        using var scope = Scope.Open("OpRun");
        var x = new Tensor[inputs.Length];
        for (int i = 0; i < x.Length; i++)
        {
            x[i] = c.Args[i].Make(inputs[i], floats, device);
            if (layout is not null) x[i] = layout(x[i], i);
        }
        if (!gradients || !c.Differentiable)
        {
            var plain = c.Call(x);
            return new(plain.Shape.ToArray(), plain.DType, Wide(plain), new double[]?[x.Length], new DType?[x.Length]);
        }
        using var tape = new Tape();
        for (int i = 0; i < x.Length; i++) if (c.Args[i].Checked) x[i] = tape.Watch(x[i]);
        var y = c.Call(x);
        var g = Tensor.From(Weights(y.Count), y.Shape, device).To(y.DType);
        if (layout is not null) g = layout(g, -1);
        var result = Wide(y);
        tape.Backward(y, g);
        var found = new double[]?[x.Length];
        var types = new DType?[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            if (!c.Args[i].Checked) continue;
            var dx = tape.Gradient(x[i]);
            if (dx is not null && dx.Shape != x[i].Shape) Assert.Fail($"The gradient of input {i} has shape {dx.Shape}, the input {x[i].Shape}.");
            found[i] = dx is null ? new double[x[i].Count] : Wide(dx);
            types[i] = dx?.DType;
        }
        return new(y.Shape.ToArray(), y.DType, result, found, types);
    }

    /// <summary>The upstream gradient: exact in bfloat16, never near 0.</summary>
    public static double[] Weights(long count)
    {
        var g = new double[count];
        for (int i = 0; i < g.Length; i++)
        {
            double u = Philox.Unit(Philox.At(Upstream, (ulong)i));
            g[i] = (float)(BFloat16)(float)(u < 0.5 ? -1.5 + 2 * u : 2 * u - 0.5);
        }
        return g;
    }

    /// <summary>Σ y·g in float64 on the reference device.</summary>
    public static double Loss(OpCase c, double[][] inputs)
    {
        using var scope = Scope.Open("OpRun.Loss");
        var x = new Tensor[inputs.Length];
        for (int i = 0; i < x.Length; i++) x[i] = c.Args[i].Make(inputs[i], DType.F64, Device.Reference);
        double[] y = Wide(c.Call(x)), g = Weights(y.Length);
        double sum = 0;
        for (int i = 0; i < y.Length; i++) sum += y[i] * g[i];
        return sum;
    }

    /// <summary>Largest difference relative to the largest expected size; NaN agrees with NaN and ∞ with the same ∞.</summary>
    public static double Error(double[] actual, double[] expected, double floor = 1e-30)
    {
        if (actual.Length != expected.Length) return double.PositiveInfinity;
        double worst = 0, scale = floor;
        for (int i = 0; i < expected.Length; i++)
        {
            if (double.IsFinite(expected[i])) scale = Math.Max(scale, Math.Abs(expected[i]));
            if (actual[i] == expected[i] || (double.IsNaN(actual[i]) && double.IsNaN(expected[i]))) continue;
            double difference = Math.Abs(actual[i] - expected[i]);
            worst = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(worst, difference);
        }
        return worst / scale;
    }

    public static void Near(double[] actual, double[] expected, double tolerance, string what, double floor = 1e-30)
    {
        double error = Error(actual, expected, floor);
        if (error <= tolerance) return;
        double Gap(int i) => double.IsNaN(actual[i] - expected[i]) ? double.MaxValue : Math.Abs(actual[i] - expected[i]);
        int at = Enumerable.Range(0, Math.Min(actual.Length, expected.Length)).MaxBy(Gap);
        Assert.Fail(actual.Length != expected.Length
            ? $"{what}: {actual.Length} elements instead of {expected.Length}"
            : $"{what}: relative error {error:e2} > {tolerance:e2}; element {at} is {actual[at]:R}, expected {expected[at]:R}");
    }

    /// <summary>The same values (except for the repeating layouts, which repeat a part of them) lying differently in memory.</summary>
    public static Tensor Lay(Tensor x, Layout layout)
    {
        using var pause = Op.Pause();
        switch (layout)
        {
            case Layout.Transposed when x.Rank >= 2: return x.Transpose(0, -1).Contiguous().Transpose(0, -1);
            case Layout.Transposed when x.Rank == 1:
                return Tensor.Concat([x.Unsqueeze(1), Garbage(x, x.Unsqueeze(1).Shape)], 1)[.., 0];
            case Layout.Sliced:
                var window = x;
                for (int dim = 0; dim < x.Rank; dim++)
                {
                    var edge = Garbage(x, window.Shape.With(dim, dim + 1));
                    int size = window.Shape[dim];
                    window = Tensor.Concat([edge, window, edge], dim);
                }
                for (int dim = 0; dim < x.Rank; dim++) window = window.Narrow(dim, dim + 1, x.Shape[dim]);
                return window;
            case Layout.Repeated when x.Rank >= 1 && x.Shape[0] > 0: return x.Narrow(0, 0, 1).Expand(x.Shape);
            case Layout.Constant when x.Count > 0:
                var one = x;
                for (int dim = 0; dim < x.Rank; dim++) one = one.Narrow(dim, 0, 1);
                return one.Expand(x.Shape);
            default: return x;
        }
    }

    private static Tensor Garbage(Tensor like, Shape shape) => Tensor.Full(shape, like.DType.IsFloat() ? double.NaN : 1, like.DType, like.Device);

    public static double[] Wide(Tensor x)
    {
        using var scope = Scope.Open("OpRun.Wide");
        using var pause = Op.Pause();
        return x.To(DType.F64).ToArray<double>();
    }

    /// <summary>The identity whose gradient is wrong on purpose.</summary>
    public readonly struct WrongGradient : IOp
    {
        public string Name => "wrong_gradient";

        public Keep Keeps => Keep.None;

        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var y = x.A.EmptyLike();
            y.Backend.Copy(x.A.View, y.View);
            return y;
        }

        public void Backward(in Saved saved, Tensor dy, IGradients into) => into.Add(0, dy * 1.001);
    }
}

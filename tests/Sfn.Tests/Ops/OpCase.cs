namespace Sfn.Tests.Ops;

/// <summary>One input of an op's sample: shape, values, and whether its gradient is checked.</summary>
/// <param name="Shape">Sizes.</param>
/// <param name="Low">Least value.</param>
/// <param name="High">Greatest value; exclusive for integers.</param>
public sealed record Arg(int[] Shape, double Low = -2, double High = 2)
{
    /// <summary>Points where the op has a kink: values keep a distance from them, so that finite differences are valid.</summary>
    public double[] Avoid { get; init; } = [];

    /// <summary>F32 stands for "the float type of the test"; integers and Bool stay what they are.</summary>
    public DType Type { get; init; } = DType.F32;

    /// <summary>Whether the op has a gradient by this input.</summary>
    public bool Gradient { get; init; } = true;

    /// <summary>Instead of random ones; row-major.</summary>
    public double[]? Values { get; init; }

    /// <summary>Whether it stays float32 where the test's type is bfloat16: biases, weights of norms, tables.</summary>
    public bool Wide { get; init; }

    public bool IsFloat => Type == DType.F32;

    public bool Checked => IsFloat && Gradient;

    /// <summary>The values, exact in float32 (and in bfloat16 if asked), the same on every call.</summary>
    public double[] Draw(ulong seed, bool brief = false)
    {
        if (Values is not null) return Values;
        var values = new double[Shape.Aggregate(1, (a, b) => a * b)];
        for (int i = 0, n = 0; i < values.Length; i++)
        {
            do
            {
                values[i] = Low + (High - Low) * Philox.Unit(Philox.At(seed, (ulong)n++));
                values[i] = !IsFloat ? Math.Floor(values[i]) : brief && !Wide ? (float)(BFloat16)(float)values[i] : (float)values[i];
            }
            while (Array.Exists(Avoid, a => Math.Abs(values[i] - a) < 0.01));
        }
        return values;
    }

    /// <summary>The input on a device.</summary>
    public Tensor Make(double[] values, DType floats, Device device)
    {
        using var scope = Scope.Open("Arg.Make");
        return scope.Return(Tensor.From(values, Sfn.Shape.Create(Shape), device).To(!IsFloat ? Type : Wide ? floats.Wide() : floats));
    }
}

/// <summary>An op with sample inputs, from which all its tests are generated.</summary>
/// <param name="Name">Readable and unique: the op, then what is special about the sample.</param>
/// <param name="Args">The inputs.</param>
/// <param name="Call">The op, as user code calls it.</param>
public sealed record OpCase(string Name, Arg[] Args, Func<Tensor[], Tensor> Call)
{
    /// <summary>Largest error of the float32 result, relative to the largest element.</summary>
    public double Tolerance { get; init; } = 2e-6;

    /// <summary>Same for gradients.</summary>
    public double GradientTolerance { get; init; } = 5e-6;

    /// <summary>Whether the result has a gradient.</summary>
    public bool Differentiable { get; init; } = true;

    /// <summary>Whether the result is 0 by definition, so that a factor on it cannot be seen.</summary>
    public bool Zero { get; init; }

    /// <summary>Inputs of special values are tried on these (one input at a time): elementwise ops, reductions, softmax.</summary>
    public bool Special { get; init; }

    /// <summary>Whether bfloat16 inputs are tested, compared with float64 computation rounded once.</summary>
    public bool Brief { get; init; }

    /// <summary>Whether the result for bfloat16 inputs is float32: losses and logits.</summary>
    public bool WideResult { get; init; }

    /// <summary>Roundings to bfloat16 inside the op, each worth 2⁻⁸ of the largest element.</summary>
    public double BriefRoundings { get; init; } = 1;

    public bool IsEmpty => Args.Any(a => Array.IndexOf(a.Shape, 0) >= 0);

    public override string ToString() => Name;
}

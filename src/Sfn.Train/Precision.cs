using Sfn.Backends;
using Sfn.Nn;

namespace Sfn.Train;

/// <summary>The precision of a run: what a model's <see cref="Numerics"/> is called on the command line. Parameters and moments are float32 in each.</summary>
public enum Precision
{
    /// <summary>Everything in float32.</summary>
    Fp32,

    /// <summary>float32 in memory; a device that can may round the factors of matrix products to tf32.</summary>
    Tf32,

    /// <summary>Activations and the matrices that layers read in bfloat16, sums in float32; products of float32 matrices as with <see cref="Tf32"/>.</summary>
    Bf16,
}

/// <summary>What the words mean.</summary>
public static class Precisions
{
    /// <summary>The words of the command line, in the order of <see cref="Precision"/>.</summary>
    public static IReadOnlyList<string> Words { get; } = ["fp32", "tf32", "bf16"];

    /// <summary>The word for a precision.</summary>
    public static string Word(this Precision precision) => Words[(int)precision];

    /// <summary>The precision of a word.</summary>
    /// <exception cref="InputError">There is no such word.</exception>
    public static Precision Parse(string word)
    {
        for (int i = 0; i < Words.Count; i++) if (Words[i] == word) return (Precision)i;
        throw new InputError($"--precision must be {Words[0]}, {Words[1]} or {Words[2]}, not {word}");
    }

    /// <summary>What a model is given.</summary>
    public static Numerics Numerics(this Precision precision) => precision switch
    {
        Precision.Bf16 => new(DType.BF16, MatMulMode.Tf32),
        Precision.Tf32 => new(DType.F32, MatMulMode.Tf32),
        _ => default,
    };
}

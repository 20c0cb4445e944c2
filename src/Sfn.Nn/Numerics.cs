using Sfn.Backends;

namespace Sfn.Nn;

/// <summary>
/// The precision a model computes in. Nothing is cast behind anyone's back: with <see cref="Compute"/> bfloat16, activations, their gradients and the
/// matrices that layers read are bfloat16 (<see cref="Autograd.Parameter.Shadow"/>); parameters, their gradients, norm weights, biases, sums, statistics,
/// logits and losses are float32 always.
/// </summary>
/// <param name="Compute">F32 or BF16.</param>
/// <param name="MatMul">How products of float32 matrices are computed; those of bfloat16 matrices are always exact and summed in float32.</param>
public readonly record struct Numerics(DType Compute = DType.F32, MatMulMode MatMul = MatMulMode.Float32)
{
    /// <summary>Checks the element type and returns the same value.</summary>
    /// <exception cref="ConfigError">It is neither F32 nor BF16.</exception>
    public Numerics Validate()
        => Compute is DType.F32 or DType.BF16 ? this : throw new ConfigError($"a model computes in F32 or BF16, not {Compute.Name()}");
}

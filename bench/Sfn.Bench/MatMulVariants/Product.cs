using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>
/// C = A·B in float32, all row-major and contiguous: A is [M, K], B is [K, N], C is [M, N]. M is a multiple of 96 or 128, N and K of 384: no
/// variant has an edge to care for.
/// </summary>
internal sealed unsafe class Product(float* a, float* b, float* c, int m, int n, int k)
{
    public readonly float* A = a, B = b, C = c;
    public readonly int M = m, N = n, K = k;

    /// <summary>The same memory with bounds: what C# without pointers sees.</summary>
    public ReadOnlySpan<float> SafeA => new(A, M * K);
    public ReadOnlySpan<float> SafeB => new(B, K * N);
    public Span<float> SafeC => new(C, M * N);

    public double Flops => 2.0 * M * N * K;
}

/// <summary>One way to compute a product.</summary>
internal interface IVariant
{
    /// <summary>Overwrites C with A·B, with vectors of type <typeparamref name="L"/> where the variant has vectors at all.</summary>
    static abstract void Run<L>(Product p) where L : struct, IVectorLane<L>;
}

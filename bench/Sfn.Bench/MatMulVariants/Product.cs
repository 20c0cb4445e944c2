using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>
/// C = A·B in float32, all row-major and contiguous: A is [M, K], B is [K, N], C is [M, N]. M is a multiple of 64, N and K of 384, so that no
/// variant has an edge to care for.
/// </summary>
internal sealed unsafe class Product(Tensor a, Tensor b, Tensor c)
{
    public readonly int M = c.Shape[0], N = c.Shape[1], K = a.Shape[1];
    public readonly float* A = (float*)a.View.Pointer, B = (float*)b.View.Pointer, C = (float*)c.View.Pointer;

    /// <summary>The same memory with bounds, as C# without pointers sees it.</summary>
    public ReadOnlySpan<float> SafeA => new(A, M * K);
    public ReadOnlySpan<float> SafeB => new(B, K * N);
    public Span<float> SafeC => new(C, M * N);

    public double Flops => 2.0 * M * N * K;

    /// <summary>The engine's own product.</summary>
    public void Engine() => c.Backend.MatMul(a.View, b.View, c.View, default);
}

/// <summary>One way to compute a product.</summary>
internal interface IVariant
{
    /// <summary>Overwrites C with A·B, with vectors of type <typeparamref name="L"/> where the variant has vectors at all.</summary>
    static abstract void Run<L>(Product p) where L : struct, IVectorLane<L>;
}

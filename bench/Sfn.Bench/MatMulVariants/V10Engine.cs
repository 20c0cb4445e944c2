using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>The engine's own kernel: step 9 for any sizes and strides, with batches, an epilogue and tiles generated for each instruction set.</summary>
internal readonly struct V10Engine : IVariant
{
    public static void Run<L>(Product p) where L : struct, IVectorLane<L> => p.Engine();
}

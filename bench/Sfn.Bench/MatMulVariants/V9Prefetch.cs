using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

internal readonly unsafe struct V9Prefetch : IVariant
{
    public static void Run<L>(Product p) where L : struct, IVectorLane<L> => new Panels<L>(p, prefetch: true).Run();
}

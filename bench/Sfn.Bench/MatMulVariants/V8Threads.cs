using Sfn.Backends.Cpu;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>All of B is packed first, then C is cut into tiles that the threads take from one list.</summary>
internal readonly unsafe struct V8Threads : IVariant
{
    public static void Run<L>(Product p) where L : struct, IVectorLane<L> => new Panels<L>(p, prefetch: false).Run();
}

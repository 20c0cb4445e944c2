using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>The inner loop runs along rows of B and C, so that neighbours in memory are used one after the other.</summary>
internal readonly struct V2LoopOrder : IVariant
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<L>(Product p) where L : struct, IVectorLane<L>
    {
        for (int i = 0; i < p.M; i++)
        {
            var c = p.SafeC.Slice(i * p.N, p.N);
            c.Clear();
            for (int k = 0; k < p.K; k++)
            {
                float x = p.SafeA[i * p.K + k];
                var b = p.SafeB.Slice(k * p.N, p.N);
                for (int j = 0; j < c.Length; j++) c[j] += x * b[j];
            }
        }
    }
}

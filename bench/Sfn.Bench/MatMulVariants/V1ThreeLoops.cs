using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>The definition: every element of C is the dot product of a row of A and a column of B.</summary>
internal readonly struct V1ThreeLoops : IVariant
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<L>(Product p) where L : struct, IVectorLane<L>
    {
        ReadOnlySpan<float> a = p.SafeA, b = p.SafeB;
        Span<float> c = p.SafeC;
        for (int i = 0; i < p.M; i++)
        {
            for (int j = 0; j < p.N; j++)
            {
                float sum = 0;
                for (int k = 0; k < p.K; k++) sum += a[i * p.K + k] * b[k * p.N + j];
                c[i * p.N + j] = sum;
            }
        }
    }
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Bench.MatMulVariants;

/// <summary>The inner loop takes a vector of columns at a time: one multiply-add instruction for 16 (or 8, or 4) elements.</summary>
internal readonly unsafe struct V3Vectors : IVariant
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<L>(Product p) where L : struct, IVectorLane<L>
    {
        for (int i = 0; i < p.M; i++)
        {
            float* c = p.C + i * p.N;
            new Span<float>(c, p.N).Clear();
            for (int k = 0; k < p.K; k++) AddScaled<L>(c, p.A[i * p.K + k], p.B + k * p.N, p.N);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddScaled<L>(float* c, float x, float* b, int n) where L : struct, IVectorLane<L>
    {
        var scale = L.Of(x);
        for (int j = 0; j < n; j += L.Width) L.Fma(scale, L.Load(b + j), L.Load(c + j)).Store(c + j);
    }
}

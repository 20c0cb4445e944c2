using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>
/// AdamW in one pass over parameters, gradients and both moments. Loshchilov and Hutter 2017 (arXiv 1711.05101), in torch's order of operations.
/// </summary>
internal static unsafe class AdamWWalker
{
    /// <summary>
    /// p ← p·Decay; m ← β1 m + (1 − β1) g; v ← β2 v + (1 − β2) g²; p ← p − Step · m / (√v·Root2 + ε), where g is multiplied by
    /// <paramref name="scale"/> first. <paramref name="shadow"/> takes the new parameters in bfloat16, or is null.
    /// </summary>
    public static void Step(float* p, float* g, float* m, float* v, BFloat16* shadow, long n, in AdamWSettings settings, float scale)
        => Chunked.Run(new Kernel { P = p, G = g, M = m, V = v, Shadow = shadow, Settings = settings, Scale = scale }, n, Chunked.Elements);

    private struct Kernel : IRangeKernel
    {
        public float* P, G, M, V;
        public BFloat16* Shadow;
        public AdamWSettings Settings;
        public float Scale;

        public readonly void Range(long begin, long count)
        {
            long done = 0;
            if (Vector512.IsHardwareAccelerated) done = Range<Two<F16>>(Settings, Scale, P + begin, G + begin, M + begin, V + begin, 0, count);
            else if (Vector256.IsHardwareAccelerated) done = Range<Two<F8>>(Settings, Scale, P + begin, G + begin, M + begin, V + begin, 0, count);
            else if (Vector128.IsHardwareAccelerated) done = Range<Two<F4>>(Settings, Scale, P + begin, G + begin, M + begin, V + begin, 0, count);
            Range<F1>(Settings, Scale, P + begin, G + begin, M + begin, V + begin, done, count);
            if (Shadow != null) Halves.Round(P + begin, Shadow + begin, count);
        }
    }

    /// <summary>The elements that fill lanes; returns the first one not done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static long Range<L>(in AdamWSettings settings, float gradScale, float* p, float* g, float* m, float* v, long i, long n) where L : struct, IVectorLane<L>
    {
        L decay = L.Of(settings.Decay), keep1 = L.Of(settings.Keep1), keep2 = L.Of(settings.Keep2), add1 = L.Of(settings.Add1);
        L add2 = L.Of(settings.Add2), step = L.Of(settings.Step), root2 = L.Of(settings.Root2), epsilon = L.Of(settings.Epsilon), scale = L.Of(gradScale);
        for (; i <= n - L.Width; i += L.Width)
        {
            L gradient = L.Load(g + i) * scale;
            L first = L.Fma(keep1, L.Load(m + i), add1 * gradient);
            L second = L.Fma(keep2, L.Load(v + i), add2 * gradient * gradient);
            first.Store(m + i);
            second.Store(v + i);
            (L.Load(p + i) * decay - step * (first / L.Fma(L.Sqrt(second), root2, epsilon))).Store(p + i);
        }
        return i;
    }
}

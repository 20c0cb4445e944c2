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
    /// p ← p (1 − lr·wd); m ← β1 m + (1 − β1) g; v ← β2 v + (1 − β2) g²; p ← p − lr / bc1 · m / (√v / √bc2 + ε), where g is multiplied by
    /// <paramref name="gradScale"/> first. Rates are float64: 1 − β2 in float32 would be off by 5e-5.
    /// </summary>
    public static void Step(float* p, float* g, float* m, float* v, long n, double lr, double beta1, double beta2, double eps, double weightDecay,
        double biasCorrection1, double biasCorrection2, double gradScale)
    {
        var kernel = new Kernel
        {
            P = p,
            G = g,
            M = m,
            V = v,
            Rates = new Rates
            {
                Decay = (float)(1 - lr * weightDecay),
                Keep1 = (float)beta1,
                Keep2 = (float)beta2,
                Add1 = (float)(1 - beta1),
                Add2 = (float)(1 - beta2),
                Step = (float)(lr / biasCorrection1),
                Root2 = (float)(1 / Math.Sqrt(biasCorrection2)),
                Epsilon = (float)eps,
                Scale = (float)gradScale,
            },
        };
        Chunked.Run(kernel, n, Chunked.Elements);
    }

    internal struct Rates
    {
        public float Decay, Keep1, Keep2, Add1, Add2, Step, Root2, Epsilon, Scale;
    }

    private struct Kernel : IRangeKernel
    {
        public float* P, G, M, V;
        public Rates Rates;

        public readonly void Range(long begin, long count)
        {
            long done = 0;
            if (Vector512.IsHardwareAccelerated) done = Range<Two<F16>>(Rates, P + begin, G + begin, M + begin, V + begin, 0, count);
            else if (Vector256.IsHardwareAccelerated) done = Range<Two<F8>>(Rates, P + begin, G + begin, M + begin, V + begin, 0, count);
            else if (Vector128.IsHardwareAccelerated) done = Range<Two<F4>>(Rates, P + begin, G + begin, M + begin, V + begin, 0, count);
            Range<F1>(Rates, P + begin, G + begin, M + begin, V + begin, done, count);
        }
    }

    /// <summary>The elements that fill lanes; returns the first one not done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static long Range<L>(in Rates rates, float* p, float* g, float* m, float* v, long i, long n) where L : struct, IVectorLane<L>
    {
        L decay = L.Of(rates.Decay), keep1 = L.Of(rates.Keep1), keep2 = L.Of(rates.Keep2), add1 = L.Of(rates.Add1), add2 = L.Of(rates.Add2);
        L step = L.Of(rates.Step), root2 = L.Of(rates.Root2), epsilon = L.Of(rates.Epsilon), scale = L.Of(rates.Scale);
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

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>Stochastic gradient descent with momentum and (coupled) weight decay, in torch's order of operations.</summary>
internal static unsafe class SgdWalker
{
    /// <summary>
    /// g ← scale·g + wd·p; b ← momentum·b + g; p ← p − lr·b, or p − lr (g + momentum·b) with <paramref name="nesterov"/>.
    /// <paramref name="momenta"/> starts as zero and is null without momentum. <paramref name="shadow"/> takes the new parameters in bfloat16, or is null.
    /// </summary>
    public static void Step(float* p, float* g, float* momenta, BFloat16* shadow, long n, in SgdSettings settings, float scale, bool nesterov)
    {
        var rates = new Rates { Step = settings.Step, Momentum = settings.Momentum, Decay = settings.Decay, Scale = scale, Nesterov = nesterov };
        Chunked.Run(new Kernel { P = p, G = g, B = momenta, Shadow = shadow, Rates = rates }, n, Chunked.Elements);
    }

    internal struct Rates
    {
        public float Step, Momentum, Decay, Scale;
        public bool Nesterov;
    }

    private struct Kernel : IRangeKernel
    {
        public float* P, G, B;
        public BFloat16* Shadow;
        public Rates Rates;

        public readonly void Range(long begin, long count)
        {
            float* b = B == null ? null : B + begin;
            long done = 0;
            if (Vector512.IsHardwareAccelerated) done = Range<Two<F16>>(Rates, P + begin, G + begin, b, 0, count);
            else if (Vector256.IsHardwareAccelerated) done = Range<Two<F8>>(Rates, P + begin, G + begin, b, 0, count);
            else if (Vector128.IsHardwareAccelerated) done = Range<Two<F4>>(Rates, P + begin, G + begin, b, 0, count);
            Range<F1>(Rates, P + begin, G + begin, b, done, count);
            if (Shadow != null) Halves.Round(P + begin, Shadow + begin, count);
        }
    }

    /// <summary>The elements that fill lanes; returns the first one not done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static long Range<L>(in Rates rates, float* p, float* g, float* b, long i, long n) where L : struct, IVectorLane<L>
    {
        L step = L.Of(rates.Step), momentum = L.Of(rates.Momentum), decay = L.Of(rates.Decay), scale = L.Of(rates.Scale);
        for (; i <= n - L.Width; i += L.Width)
        {
            L parameter = L.Load(p + i);
            L gradient = L.Fma(decay, parameter, scale * L.Load(g + i));
            L direction = gradient;
            if (b != null)
            {
                L buffer = L.Fma(momentum, L.Load(b + i), gradient);
                buffer.Store(b + i);
                direction = rates.Nesterov ? L.Fma(momentum, buffer, gradient) : buffer;
            }
            (parameter - step * direction).Store(p + i);
        }
        return i;
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sfn.Backends.Cpu;

/// <summary>Bias, activation and residual on a tile that is still in the first-level cache.</summary>
internal static unsafe class GemmEpilogue
{
    private interface IFunction
    {
        static abstract Vector256<float> Of(Vector256<float> x);
        static abstract Vector128<float> Of(Vector128<float> x);
    }

    /// <summary>c = residual + f(c + bias) over rows × cols; bias and residual may be null.</summary>
    public static void Apply(float* c, long ldc, int rows, int cols, float* bias, float* residual, long ldr, GemmActivation activation)
    {
        for (int r = 0; r < rows; r++)
        {
            switch (activation)
            {
                case GemmActivation.Gelu: Row<Gelu>(c, cols, bias, residual); break;
                case GemmActivation.Silu: Row<Silu>(c, cols, bias, residual); break;
                case GemmActivation.Relu: Row<Relu>(c, cols, bias, residual); break;
                default: Row<Identity>(c, cols, bias, residual); break;
            }
            c += ldc;
            if (residual != null) residual += ldr;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<F>(float* c, int n, float* bias, float* residual) where F : struct, IFunction
    {
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            // Two independent chains: one alone waits for its own exp.
            for (; i + 16 <= n; i += 16)
            {
                var v = Vector256.Load(c + i);
                var w = Vector256.Load(c + i + 8);
                if (bias != null)
                {
                    v += Vector256.Load(bias + i);
                    w += Vector256.Load(bias + i + 8);
                }
                v = F.Of(v);
                w = F.Of(w);
                if (residual != null)
                {
                    v += Vector256.Load(residual + i);
                    w += Vector256.Load(residual + i + 8);
                }
                v.Store(c + i);
                w.Store(c + i + 8);
            }
        }
        for (; i + 4 <= n; i += 4)
        {
            var v = Vector128.Load(c + i);
            if (bias != null) v += Vector128.Load(bias + i);
            v = F.Of(v);
            if (residual != null) v += Vector128.Load(residual + i);
            v.Store(c + i);
        }
        for (; i < n; i++)
        {
            float x = c[i];
            if (bias != null) x += bias[i];
            x = F.Of(Vector128.CreateScalar(x)).ToScalar();
            if (residual != null) x += residual[i];
            c[i] = x;
        }
    }

    // x * sigmoid(z): silu has z = x, gelu's tanh form z = 2 sqrt(2/pi) (x + 0.044715 x^3).
    private const float Gelu1 = 1.5957691216f, Gelu3 = 0.0713548162726f;

    private struct Identity : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Of(Vector256<float> x) => x;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<float> Of(Vector128<float> x) => x;
    }

    private struct Gelu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Of(Vector256<float> x) =>
            x / (Vector256<float>.One + Exp(-x * Vector256.MultiplyAddEstimate(x * x, Vector256.Create(Gelu3), Vector256.Create(Gelu1))));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<float> Of(Vector128<float> x) =>
            x / (Vector128<float>.One + Exp(-x * Vector128.MultiplyAddEstimate(x * x, Vector128.Create(Gelu3), Vector128.Create(Gelu1))));
    }

    private struct Silu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Of(Vector256<float> x) => x / (Vector256<float>.One + Exp(-x));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<float> Of(Vector128<float> x) => x / (Vector128<float>.One + Exp(-x));
    }

    private struct Relu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Of(Vector256<float> x) => Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), Vector256<float>.Zero, x);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<float> Of(Vector128<float> x) => Vector128.ConditionalSelect(Vector128.LessThan(x, Vector128<float>.Zero), Vector128<float>.Zero, x);
    }

    // exp: n = round(x log2 e) by adding 1.5 * 2^23, a polynomial on the rest, and 2^n in two factors so that it overflows to
    // infinity and underflows to zero. The native min and max return their second argument, x, where it is NaN.
    private const float High = 90f, Low = -104f, Log2E = 1.44269504f, Magic = 12582912f, Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f;
    private const float P6 = 1.9875691500e-4f, P5 = 1.3981999507e-3f, P4 = 8.3334519073e-3f, P3 = 4.1665795894e-2f, P2 = 1.6666665459e-1f, P1 = 5.0000001201e-1f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Exp(Vector256<float> x)
    {
        x = Vector256.MinNative(Vector256.Create(High), x);
        x = Vector256.MaxNative(Vector256.Create(Low), x);
        var m = Vector256.MultiplyAddEstimate(x, Vector256.Create(Log2E), Vector256.Create(Magic));
        var f = m - Vector256.Create(Magic);
        var r = Vector256.MultiplyAddEstimate(f, Vector256.Create(-Ln2High), x);
        r = Vector256.MultiplyAddEstimate(f, Vector256.Create(-Ln2Low), r);
        var p = Vector256.MultiplyAddEstimate(Vector256.Create(P6), r, Vector256.Create(P5));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(P4));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(P3));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(P2));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(P1));
        p = Vector256.MultiplyAddEstimate(p, r * r, r + Vector256<float>.One);
        var n = m.AsInt32() - Vector256.Create(Magic).AsInt32();
        var half = n >> 1;
        return p * ((half + Vector256.Create(127)) << 23).AsSingle() * ((n - half + Vector256.Create(127)) << 23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Exp(Vector128<float> x)
    {
        x = Vector128.MinNative(Vector128.Create(High), x);
        x = Vector128.MaxNative(Vector128.Create(Low), x);
        var m = Vector128.MultiplyAddEstimate(x, Vector128.Create(Log2E), Vector128.Create(Magic));
        var f = m - Vector128.Create(Magic);
        var r = Vector128.MultiplyAddEstimate(f, Vector128.Create(-Ln2High), x);
        r = Vector128.MultiplyAddEstimate(f, Vector128.Create(-Ln2Low), r);
        var p = Vector128.MultiplyAddEstimate(Vector128.Create(P6), r, Vector128.Create(P5));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(P4));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(P3));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(P2));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(P1));
        p = Vector128.MultiplyAddEstimate(p, r * r, r + Vector128<float>.One);
        var n = m.AsInt32() - Vector128.Create(Magic).AsInt32();
        var half = n >> 1;
        return p * ((half + Vector128.Create(127)) << 23).AsSingle() * ((n - half + Vector128.Create(127)) << 23).AsSingle();
    }
}

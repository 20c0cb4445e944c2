using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>Bias, activation and residual on a tile that is still in the first-level cache. The activations are the bodies of the ops.</summary>
internal static unsafe class GemmEpilogue
{
    /// <summary>c = residual + f(c + bias) over rows × cols; bias and residual may be null.</summary>
    public static void Apply(float* c, long ldc, int rows, int cols, float* bias, float* residual, long ldr, Activation activation)
    {
        for (int r = 0; r < rows; r++)
        {
            switch (activation)
            {
                case Activation.Gelu: Row<Ops.Gelu>(c, cols, bias, residual); break;
                case Activation.Silu: Row<Ops.Silu>(c, cols, bias, residual); break;
                case Activation.Relu: Row<Ops.Relu>(c, cols, bias, residual); break;
                default: Row<Identity>(c, cols, bias, residual); break;
            }
            c += ldc;
            if (residual != null) residual += ldr;
        }
    }

    private static void Row<TOp>(float* c, int n, float* bias, float* residual) where TOp : struct, IUnary
    {
        int done = 0;
        if (Vector512.IsHardwareAccelerated) done = Part<TOp, F16>(c, 0, n, bias, residual);
        else if (Vector256.IsHardwareAccelerated) done = Part<TOp, Two<F8>>(c, 0, n, bias, residual);
        else if (Vector128.IsHardwareAccelerated) done = Part<TOp, Two<F4>>(c, 0, n, bias, residual);
        Part<TOp, F1>(c, done, n, bias, residual);
    }

    // The elements that fill lanes; returns the first one not done.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Part<TOp, L>(float* c, int i, int n, float* bias, float* residual) where TOp : struct, IUnary where L : struct, IVectorLane<L>
    {
        for (; i + L.Width <= n; i += L.Width)
        {
            L v = L.Load(c + i);
            if (bias != null) v += L.Load(bias + i);
            v = default(TOp).Forward(v);
            if (residual != null) v += L.Load(residual + i);
            v.Store(c + i);
        }
        return i;
    }

    private readonly struct Identity : IUnary
    {
        public static string Name => "identity";

        public static Keep Keeps => Keep.None;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Forward<L>(L x) where L : struct, ILane<L> => x;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => dy;
    }
}

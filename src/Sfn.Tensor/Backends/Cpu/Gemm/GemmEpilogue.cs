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
        switch (activation)
        {
            case Activation.Gelu: Tile<Ops.Gelu>(c, ldc, rows, cols, bias, residual, ldr); break;
            case Activation.Silu: Tile<Ops.Silu>(c, ldc, rows, cols, bias, residual, ldr); break;
            case Activation.Relu: Tile<Ops.Relu>(c, ldc, rows, cols, bias, residual, ldr); break;
            default: Tile<Identity>(c, ldc, rows, cols, bias, residual, ldr); break;
        }
    }

    private static void Tile<TOp>(float* c, long ldc, int rows, int cols, float* bias, float* residual, long ldr) where TOp : struct, IUnary
    {
        int done = 0;
        if (Vector512.IsHardwareAccelerated) done = Part<TOp, F16>(c, ldc, rows, 0, cols, bias, residual, ldr);
        else if (Vector256.IsHardwareAccelerated) done = Part<TOp, Two<F8>>(c, ldc, rows, 0, cols, bias, residual, ldr);
        else if (Vector128.IsHardwareAccelerated) done = Part<TOp, Two<F4>>(c, ldc, rows, 0, cols, bias, residual, ldr);
        if (done < cols) Part<TOp, F1>(c, ldc, rows, done, cols, bias, residual, ldr);
    }

    // The columns from first on that fill lanes, of all rows: a tile is small, so a call for each row would cost as much as the work. Returns the first
    // column not done.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Part<TOp, L>(float* c, long ldc, int rows, int first, int cols, float* bias, float* residual, long ldr)
        where TOp : struct, IUnary where L : struct, IVectorLane<L>
    {
        int end = first + (cols - first) / L.Width * L.Width;
        for (; rows > 0; rows--)
        {
            for (int i = first; i < end; i += L.Width)
            {
                L v = L.Load(c + i);
                if (bias != null) v += L.Load(bias + i);
                v = default(TOp).Forward(v);
                if (residual != null) v += L.Load(residual + i);
                v.Store(c + i);
            }
            c += ldc;
            if (residual != null) residual += ldr;
        }
        return end;
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

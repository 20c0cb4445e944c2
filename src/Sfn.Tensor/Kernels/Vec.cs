using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sfn.Kernels;

/// <summary>The functions of <see cref="FloatMath"/> on plain vectors, for kernels written by hand.</summary>
public static class Vec
{
    /// <summary>e^x with the special values of <see cref="ILane{L}"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x) => FloatMath.Exp(new F16(x)).V;

    /// <summary>e^x with the special values of <see cref="ILane{L}"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x) => FloatMath.Exp(new F8(x)).V;

    /// <summary>e^x with the special values of <see cref="ILane{L}"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Exp(Vector128<float> x) => FloatMath.Exp(new F4(x)).V;

    /// <summary>Natural logarithm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Log(Vector512<float> x) => FloatMath.Log(new F16(x)).V;

    /// <summary>Natural logarithm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Log(Vector256<float> x) => FloatMath.Log(new F8(x)).V;

    /// <summary>Natural logarithm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Log(Vector128<float> x) => FloatMath.Log(new F4(x)).V;

    /// <summary>Hyperbolic tangent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Tanh(Vector512<float> x) => FloatMath.Tanh(new F16(x)).V;

    /// <summary>Hyperbolic tangent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Tanh(Vector256<float> x) => FloatMath.Tanh(new F8(x)).V;

    /// <summary>Hyperbolic tangent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Tanh(Vector128<float> x) => FloatMath.Tanh(new F4(x)).V;

    /// <summary>Error function.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Erf(Vector512<float> x) => FloatMath.Erf(new F16(x)).V;

    /// <summary>Error function.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Erf(Vector256<float> x) => FloatMath.Erf(new F8(x)).V;

    /// <summary>Error function.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Erf(Vector128<float> x) => FloatMath.Erf(new F4(x)).V;

    /// <summary>e^x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Exp(float x) => FloatMath.Exp(new F1(x)).V;

    /// <summary>Natural logarithm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Log(float x) => FloatMath.Log(new F1(x)).V;
}

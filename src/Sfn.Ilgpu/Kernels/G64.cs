using System.Runtime.CompilerServices;
using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>One float64 in a GPU thread, for float64 and 32-bit integer tensors. Needs a device with float64.</summary>
internal readonly struct G64(double v) : ILane<G64>
{
    public readonly double V = v;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    [MethodImpl(Inline)]
    public static G64 Of(double value) => new(value);

    [MethodImpl(Inline)]
    public static G64 Of(float value) => new(value);

    [MethodImpl(Inline)]
    public static G64 operator +(G64 a, G64 b) => new(a.V + b.V);

    [MethodImpl(Inline)]
    public static G64 operator -(G64 a, G64 b) => new(a.V - b.V);

    [MethodImpl(Inline)]
    public static G64 operator *(G64 a, G64 b) => new(a.V * b.V);

    [MethodImpl(Inline)]
    public static G64 operator /(G64 a, G64 b) => new(a.V / b.V);

    [MethodImpl(Inline)]
    public static G64 operator -(G64 a) => new(-a.V);

    [MethodImpl(Inline)]
    public static G64 Fma(G64 a, G64 b, G64 c) => new(c.V - -a.V * b.V);

    [MethodImpl(Inline)]
    public static G64 Min(G64 a, G64 b) => new(double.IsNaN(a.V) ? a.V : b.V > a.V ? a.V : b.V);

    [MethodImpl(Inline)]
    public static G64 Max(G64 a, G64 b) => new(double.IsNaN(a.V) ? a.V : b.V < a.V ? a.V : b.V);

    [MethodImpl(Inline)]
    public static G64 Abs(G64 x) => new(Interop.IntAsFloat(Interop.FloatAsInt(x.V) & long.MaxValue));

    [MethodImpl(Inline)]
    public static G64 Sqrt(G64 x) => new(Math.Sqrt(x.V));

    [MethodImpl(Inline)]
    public static G64 Floor(G64 x) => new(Math.Floor(x.V));

    [MethodImpl(Inline)]
    public static G64 Exp(G64 x) => new(WideMath.Exp(x.V));

    [MethodImpl(Inline)]
    public static G64 Log(G64 x) => new(WideMath.Log(x.V));

    [MethodImpl(Inline)]
    public static G64 Tanh(G64 x) => new(WideMath.Tanh(x.V));

    [MethodImpl(Inline)]
    public static G64 Erf(G64 x) => new(WideMath.Erf(x.V));

    [MethodImpl(Inline)]
    public static G64 IfGreater(G64 a, G64 b, G64 then, G64 otherwise) => new(a.V - b.V > 0 ? then.V : otherwise.V);

    [MethodImpl(Inline)]
    public static G64 IfEqual(G64 a, G64 b, G64 then, G64 otherwise) => new(!double.IsNaN(a.V) && !double.IsNaN(b.V) && a.V == b.V ? then.V : otherwise.V);
}

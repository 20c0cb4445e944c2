using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sfn.Kernels;

/// <summary>
/// 64 float32 values in four 512-bit vectors. Bodies with exp are chains of some 15 dependent instructions; four side by side fill the
/// latency of each, where two leave it to a scheduler that is too small for it. Vectors, not lanes, side by side: each nested lane costs the
/// JIT inlining budget, which runs out within a long body.
/// </summary>
internal readonly unsafe struct F16x4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) : IVectorLane<F16x4>
{
    public readonly Vector512<float> A = a, B = b, C = c, D = d;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Width => 64;

    public float this[int index] => ((index >> 4) switch { 0 => A, 1 => B, 2 => C, _ => D }).GetElement(index & 15);

    [MethodImpl(Inline)]
    public static F16x4 Load(float* source) =>
        new(Vector512.Load(source), Vector512.Load(source + 16), Vector512.Load(source + 32), Vector512.Load(source + 48));

    [MethodImpl(Inline)]
    public void Store(float* target)
    {
        A.Store(target);
        B.Store(target + 16);
        C.Store(target + 32);
        D.Store(target + 48);
    }

    [MethodImpl(Inline)]
    public void StoreNonTemporal(float* target)
    {
        A.StoreAlignedNonTemporal(target);
        B.StoreAlignedNonTemporal(target + 16);
        C.StoreAlignedNonTemporal(target + 32);
        D.StoreAlignedNonTemporal(target + 48);
    }

    public float Fold<TMonoid>(TMonoid monoid) where TMonoid : struct, IMonoid =>
        monoid.Combine(monoid.Combine(new F16(A), new F16(C)), monoid.Combine(new F16(B), new F16(D))).Fold(monoid);

    [MethodImpl(Inline)]
    public static F16x4 Of(double value) => Of((float)value);

    [MethodImpl(Inline)]
    public static F16x4 Of(float value)
    {
        var v = Vector512.Create(value);
        return new(v, v, v, v);
    }

    [MethodImpl(Inline)]
    public static F16x4 OfBits(int bits)
    {
        var v = Vector512.Create(bits).AsSingle();
        return new(v, v, v, v);
    }

    [MethodImpl(Inline)]
    public static F16x4 operator +(F16x4 a, F16x4 b) =>
        new(a.A + b.A, a.B + b.B, a.C + b.C, a.D + b.D);

    [MethodImpl(Inline)]
    public static F16x4 operator -(F16x4 a, F16x4 b) =>
        new(a.A - b.A, a.B - b.B, a.C - b.C, a.D - b.D);

    [MethodImpl(Inline)]
    public static F16x4 operator *(F16x4 a, F16x4 b) =>
        new(a.A * b.A, a.B * b.B, a.C * b.C, a.D * b.D);

    [MethodImpl(Inline)]
    public static F16x4 operator /(F16x4 a, F16x4 b) =>
        new(a.A / b.A, a.B / b.B, a.C / b.C, a.D / b.D);

    [MethodImpl(Inline)]
    public static F16x4 operator -(F16x4 a) =>
        new(-a.A, -a.B, -a.C, -a.D);

    [MethodImpl(Inline)]
    public static F16x4 Fma(F16x4 a, F16x4 b, F16x4 c) => Avx512F.IsSupported
        ? new(Avx512F.FusedMultiplyAdd(a.A, b.A, c.A), Avx512F.FusedMultiplyAdd(a.B, b.B, c.B), Avx512F.FusedMultiplyAdd(a.C, b.C, c.C),
            Avx512F.FusedMultiplyAdd(a.D, b.D, c.D))
        : a * b + c;

    [MethodImpl(Inline)]
    public static F16x4 Min(F16x4 a, F16x4 b) =>
        new(Min(a.A, b.A), Min(a.B, b.B), Min(a.C, b.C), Min(a.D, b.D));

    [MethodImpl(Inline)]
    public static F16x4 MinFast(F16x4 a, F16x4 b) =>
        new(Vector512.MinNative(a.A, b.A), Vector512.MinNative(a.B, b.B),
            Vector512.MinNative(a.C, b.C), Vector512.MinNative(a.D, b.D));

    [MethodImpl(Inline)]
    private static Vector512<float> Min(Vector512<float> a, Vector512<float> b) =>
        Vector512.ConditionalSelect(Vector512.Equals(a, a), Vector512.MinNative(a, b), a);

    [MethodImpl(Inline)]
    public static F16x4 Max(F16x4 a, F16x4 b) =>
        new(Max(a.A, b.A), Max(a.B, b.B), Max(a.C, b.C), Max(a.D, b.D));

    [MethodImpl(Inline)]
    public static F16x4 MaxFast(F16x4 a, F16x4 b) =>
        new(Vector512.MaxNative(a.A, b.A), Vector512.MaxNative(a.B, b.B),
            Vector512.MaxNative(a.C, b.C), Vector512.MaxNative(a.D, b.D));

    [MethodImpl(Inline)]
    private static Vector512<float> Max(Vector512<float> a, Vector512<float> b) =>
        Vector512.ConditionalSelect(Vector512.Equals(a, a), Vector512.MaxNative(a, b), a);

    [MethodImpl(Inline)]
    public static F16x4 Abs(F16x4 x) =>
        new(Vector512.Abs(x.A), Vector512.Abs(x.B), Vector512.Abs(x.C), Vector512.Abs(x.D));

    [MethodImpl(Inline)]
    public static F16x4 Sqrt(F16x4 x) =>
        new(Vector512.Sqrt(x.A), Vector512.Sqrt(x.B), Vector512.Sqrt(x.C), Vector512.Sqrt(x.D));

    [MethodImpl(Inline)]
    public static F16x4 Floor(F16x4 x) =>
        new(Vector512.Floor(x.A), Vector512.Floor(x.B), Vector512.Floor(x.C), Vector512.Floor(x.D));

    [MethodImpl(Inline)]
    public static F16x4 Exp(F16x4 x) => FloatMath.Exp(x);

    [MethodImpl(Inline)]
    public static F16x4 Log(F16x4 x) => FloatMath.Log(x);

    [MethodImpl(Inline)]
    public static F16x4 Tanh(F16x4 x) => FloatMath.Tanh(x);

    [MethodImpl(Inline)]
    public static F16x4 Erf(F16x4 x) => FloatMath.Erf(x);

    [MethodImpl(Inline)]
    public static F16x4 IfGreater(F16x4 a, F16x4 b, F16x4 then, F16x4 otherwise) =>
        new(Vector512.ConditionalSelect(Vector512.GreaterThan(a.A, b.A), then.A, otherwise.A),
            Vector512.ConditionalSelect(Vector512.GreaterThan(a.B, b.B), then.B, otherwise.B),
            Vector512.ConditionalSelect(Vector512.GreaterThan(a.C, b.C), then.C, otherwise.C),
            Vector512.ConditionalSelect(Vector512.GreaterThan(a.D, b.D), then.D, otherwise.D));

    [MethodImpl(Inline)]
    public static F16x4 IfEqual(F16x4 a, F16x4 b, F16x4 then, F16x4 otherwise) =>
        new(Vector512.ConditionalSelect(Vector512.Equals(a.A, b.A), then.A, otherwise.A),
            Vector512.ConditionalSelect(Vector512.Equals(a.B, b.B), then.B, otherwise.B),
            Vector512.ConditionalSelect(Vector512.Equals(a.C, b.C), then.C, otherwise.C),
            Vector512.ConditionalSelect(Vector512.Equals(a.D, b.D), then.D, otherwise.D));

    [MethodImpl(Inline)]
    public static F16x4 AddBits(F16x4 a, F16x4 b) =>
        new((a.A.AsInt32() + b.A.AsInt32()).AsSingle(), (a.B.AsInt32() + b.B.AsInt32()).AsSingle(),
            (a.C.AsInt32() + b.C.AsInt32()).AsSingle(), (a.D.AsInt32() + b.D.AsInt32()).AsSingle());

    [MethodImpl(Inline)]
    public static F16x4 SubBits(F16x4 a, F16x4 b) =>
        new((a.A.AsInt32() - b.A.AsInt32()).AsSingle(), (a.B.AsInt32() - b.B.AsInt32()).AsSingle(),
            (a.C.AsInt32() - b.C.AsInt32()).AsSingle(), (a.D.AsInt32() - b.D.AsInt32()).AsSingle());

    [MethodImpl(Inline)]
    public static F16x4 AndBits(F16x4 a, F16x4 b) =>
        new(a.A & b.A, a.B & b.B, a.C & b.C, a.D & b.D);

    [MethodImpl(Inline)]
    public static F16x4 OrBits(F16x4 a, F16x4 b) =>
        new(a.A | b.A, a.B | b.B, a.C | b.C, a.D | b.D);

    [MethodImpl(Inline)]
    public static F16x4 ShiftLeft(F16x4 a, int count) =>
        new((a.A.AsInt32() << count).AsSingle(), (a.B.AsInt32() << count).AsSingle(),
            (a.C.AsInt32() << count).AsSingle(), (a.D.AsInt32() << count).AsSingle());

    [MethodImpl(Inline)]
    public static F16x4 ShiftRight(F16x4 a, int count) =>
        new((a.A.AsInt32() >> count).AsSingle(), (a.B.AsInt32() >> count).AsSingle(),
            (a.C.AsInt32() >> count).AsSingle(), (a.D.AsInt32() >> count).AsSingle());

    [MethodImpl(Inline)]
    public static F16x4 BitsToFloat(F16x4 a) =>
        new(Vector512.ConvertToSingle(a.A.AsInt32()), Vector512.ConvertToSingle(a.B.AsInt32()),
            Vector512.ConvertToSingle(a.C.AsInt32()), Vector512.ConvertToSingle(a.D.AsInt32()));
}

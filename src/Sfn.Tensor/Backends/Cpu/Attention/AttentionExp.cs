using System.Runtime.CompilerServices;

namespace Sfn.Backends.Cpu;

/// <summary>
/// e^x for the arguments of a softmax (x ≤ 0 up to rounding): exactly 0 below −87.3 and at −∞, NaN for NaN, error about 1 ulp.
/// </summary>
internal static class AttentionExp
{
    // 1.5·2²³ makes the sum's last bit worth 1, so the addition rounds to an integer; the extra 127 leaves that integer biased
    // in the low bits, and one shift puts it into the exponent field: 2ⁿ without a conversion.
    private const float Rounder = 12582912f + 127f;
    private const float Log2E = 1.44269504f, Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<S, V>(V x) where S : struct, ISimd<V> where V : struct
    {
        V shifted = S.Fma(x, S.Splat(Log2E), S.Splat(Rounder));
        V n = S.Sub(shifted, S.Splat(Rounder));
        V r = S.Fma(n, S.Splat(-Ln2High), x);
        r = S.Fma(n, S.Splat(-Ln2Low), r);
        // Cephes expf: e^r = 1 + r + r²·q(r) on |r| ≤ ln(2)/2.
        V q = S.Splat(1.9875691500e-4f);
        q = S.Fma(q, r, S.Splat(1.3981999507e-3f));
        q = S.Fma(q, r, S.Splat(8.3334519073e-3f));
        q = S.Fma(q, r, S.Splat(4.1665795894e-2f));
        q = S.Fma(q, r, S.Splat(1.6666665459e-1f));
        q = S.Fma(q, r, S.Splat(5.0000001201e-1f));
        q = S.Fma(S.Mul(r, r), q, S.Add(r, S.Splat(1f)));
        V y = S.Mul(q, S.ShiftBitsLeft(shifted, 23));
        // The comparison is false for NaN, which therefore survives.
        return S.IfLess(x, S.Splat(-87.3f), S.Zero, y);
    }
}

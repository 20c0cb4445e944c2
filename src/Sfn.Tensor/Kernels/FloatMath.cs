using System.Runtime.CompilerServices;

namespace Sfn.Kernels;

/// <summary>
/// Exp, log, tanh and erf in float32, written once for every lane: minimax polynomials (Remez, coefficients rounded one by one) after a
/// range reduction. Relative errors stay within about two units in the last place; NaN and infinities follow <see cref="ILane{L}"/>.
/// </summary>
public static class FloatMath
{
    private const float Log2E = 1.44269504f;
    // ln 2 in two parts (Cody and Waite 1980). The first has 15 significant bits, so that n * Ln2High is exact without a fused multiply-add.
    private const float Ln2High = 0.693145752f, Ln2Low = 1.42860677e-6f;
    // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits of the sum; adding 127 as well leaves a float's biased exponent there.
    private const float Round = 12582912f, Biased = Round + 127;
    private const int SignBit = int.MinValue;

    /// <summary>e^x. Zero below the normal range (x &lt; -87.33), infinite above 88.72, NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Exp<L>(L x) where L : struct, ILane<L>, IFloatLane<L>
    {
        // n = floor(x / ln 2), not the nearest: then e^r is in [1, 2), every normal result is e^r * 2^n with 2^n normal, and NaN and infinity
        // come through the multiplication by themselves.
        x = L.MaxFast(-88f, x);
        L t = L.MinFast(Biased + 127, L.Fma(x, Log2E, -0.5f) + Biased);
        L n = t - Biased;
        L r = L.Fma(n, -Ln2High, x);
        r = L.Fma(n, -Ln2Low, r);
        L p = L.Fma(r, 0.0019467136589810252f, 0.007796901278197765f);
        p = L.Fma(p, r, 0.041911039501428604f);
        p = L.Fma(p, r, 0.1666117012500763f);
        p = L.Fma(p, r, 0.5000055432319641f);
        p = L.Fma(p, r, 0.9999998211860657f);
        p = L.Fma(p, r, 1f);
        return p * L.ShiftLeft(t, 23);
    }

    /// <summary>Natural logarithm, exact about 1 and for subnormals; -inf at zero, NaN below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Log<L>(L x) where L : struct, ILane<L>, IFloatLane<L>
    {
        L tiny = 1.17549435e-38f;
        L normal = L.IfGreater(tiny, x, x * 8388608f, x);
        // x = m * 2^e with m in [sqrt(1/2), sqrt(2)): log x = e ln 2 + log(1 + f), where f = m - 1 keeps all its bits near x = 1.
        L e = L.ShiftRight(L.SubBits(normal, L.OfBits(0x3f3504f3)), 23);
        L f = L.SubBits(normal, L.ShiftLeft(e, 23)) - 1f;
        L n = L.BitsToFloat(e) + L.IfGreater(tiny, x, -23f, 0f);
        L p = L.Fma(f, 0.053190335631370544f, -0.1091076135635376f);
        p = L.Fma(p, f, 0.12109189480543137f);
        p = L.Fma(p, f, -0.12549562752246857f);
        p = L.Fma(p, f, 0.1420963704586029f);
        p = L.Fma(p, f, -0.1665937304496765f);
        p = L.Fma(p, f, 0.20002222061157227f);
        p = L.Fma(p, f, -0.2500016689300537f);
        p = L.Fma(p, f, 0.3333331346511841f);
        p = L.Fma(p, f, -0.5f);
        L y = L.Fma(f * f, p, n * Ln2Low) + f;
        y = L.Fma(n, Ln2High, y);
        y = L.IfGreater(x, 0f, y, L.IfEqual(x, 0f, float.NegativeInfinity, float.NaN));
        return L.IfEqual(x, float.PositiveInfinity, x, y);
    }

    /// <summary>Hyperbolic tangent: odd, relatively accurate also next to zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Tanh<L>(L x) where L : struct, ILane<L>, IFloatLane<L>
    {
        // With e = exp(-2|x|) - 1 in [-1, 0]: tanh |x| = -e / (2 + e). The subtraction is done inside the polynomial, where nothing cancels.
        L sign = L.AndBits(x, L.OfBits(SignBit));
        L y = L.MaxFast(-20f, 2f * L.OrBits(x, L.OfBits(SignBit)));
        L t = L.Fma(y, Log2E, Biased);
        L n = t - Biased;
        L r = L.Fma(n, -Ln2High, y);
        r = L.Fma(n, -Ln2Low, r);
        L g = L.Fma(r, 0.0013835608260706067f, 0.008367124944925308f);
        g = L.Fma(g, r, 0.04166775569319725f);
        g = L.Fma(g, r, 0.16666539013385773f);
        g = L.Fma(g, r, 0.4999999701976776f);
        L q = L.Fma(g, r * r, r);
        L s = L.ShiftLeft(t, 23);
        L e = L.Fma(s, q, s - 1f);
        return L.OrBits(L.AndBits(e / (e + 2f), L.OfBits(~SignBit)), sign);
    }

    /// <summary>Error function: an odd polynomial below 0.9375, one minus exp of a polynomial above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Erf<L>(L x) where L : struct, ILane<L>, IFloatLane<L>
    {
        L a = L.AndBits(x, L.OfBits(~SignBit));
        L s = a * a;
        L p = L.Fma(s, 8.000279194675386e-05f, -0.0008050384349189699f);
        p = L.Fma(p, s, 0.005192438140511513f);
        p = L.Fma(p, s, -0.02685573697090149f);
        p = L.Fma(p, s, 0.11283625662326813f);
        p = L.Fma(p, s, -0.3761262893676758f);
        p = L.Fma(p, s, 0.12837916612625122f);
        L small = L.Fma(p, x, x);

        // ln erfc a; from a = 4 on erf rounds to 1.
        L c = L.MinFast(4f, a);
        L q = L.Fma(c, -2.0832727386732586e-05f, 0.0004314309626352042f);
        q = L.Fma(q, c, -0.004156401380896568f);
        q = L.Fma(q, c, 0.02508092299103737f);
        q = L.Fma(q, c, -0.10822074860334396f);
        q = L.Fma(q, c, -0.6334006190299988f);
        q = L.Fma(q, c, -1.129488468170166f);
        q = L.Fma(q, c, 0.00016920616326387972f);
        L large = L.OrBits(1f - Exp(q), L.AndBits(x, L.OfBits(SignBit)));
        return L.IfGreater(a, 0.9375f, large, small);
    }
}

using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Exp, log, tanh and erf in float64 for GPU threads, from series after a range reduction: about 1e-15 relative.</summary>
internal static class WideMath
{
    private const double Log2E = 1.4426950408889634, Ln2High = 0.69314718036912382, Ln2Low = 1.9082149292705877e-10;

    public static double Exp(double x)
    {
        if (double.IsNaN(x)) return x;
        if (x > 709.782712893384) return double.PositiveInfinity;
        if (x < -745.2) return 0;
        double n = Math.Floor(x * Log2E + 0.5);
        double r = x - n * Ln2High - n * Ln2Low;
        double p = 1;
        for (int i = 14; i >= 1; i--) p = 1 + r * p / i;
        // Two factors: 2^n itself may be subnormal or just beyond the range.
        int half = (int)n / 2;
        return p * Power(half) * Power((int)n - half);
    }

    public static double Log(double x)
    {
        if (!(x > 0)) return x == 0 ? double.NegativeInfinity : double.NaN;
        if (x == double.PositiveInfinity) return x;
        double shift = 0;
        if (x < 2.2250738585072014e-308)
        {
            x *= 18014398509481984;
            shift = -54;
        }
        long bits = (long)Interop.FloatAsInt(x) - 0x3FE6A09E667F3BCD;
        long e = bits >> 52;
        double m = Interop.IntAsFloat((ulong)((long)Interop.FloatAsInt(x) - (e << 52)));
        // log m = 2 artanh s with |s| below 0.172.
        double s = (m - 1) / (m + 1), t = s * s, p = 0;
        for (int i = 21; i >= 1; i -= 2) p = 1.0 / i + t * p;
        double n = e + shift;
        return n * Ln2High + (2 * s * p + n * Ln2Low);
    }

    public static double Tanh(double x)
    {
        double a = x < 0 ? -x : x;
        if (!(a < 20)) return double.IsNaN(x) ? x : x < 0 ? -1 : 1;
        if (a < 0.25)
        {
            // x (1 + x²/3 …): the quotient of the series of sinh and cosh keeps the digits near zero.
            double t = x * x, sinh = 0, cosh = 0;
            for (int i = 9; i >= 1; i--)
            {
                sinh = 1 + t * sinh / (2 * i * (2 * i + 1));
                cosh = 1 + t * cosh / (2 * i * (2 * i - 1));
            }
            return x * sinh / cosh;
        }
        double e = Exp(-2 * a), y = (1 - e) / (1 + e);
        return x < 0 ? -y : y;
    }

    public static double Erf(double x)
    {
        const double twoOverRootPi = 1.1283791670955126;
        double a = x < 0 ? -x : x;
        if (double.IsNaN(x)) return x;
        if (a > 6) return x < 0 ? -1 : 1;
        double y;
        if (a < 2.5)
        {
            // Abramowitz and Stegun 7.1.6: a series of positive terms.
            double term = a, sum = a;
            for (int n = 1; n < 60; n++)
            {
                term *= 2 * a * a / (2 * n + 1);
                sum += term;
            }
            y = twoOverRootPi * Exp(-a * a) * sum;
        }
        else
        {
            // Its continued fraction 7.1.14 of erfc.
            double f = a;
            for (int n = 80; n >= 1; n--) f = a + 0.5 * n / f;
            y = 1 - Exp(-a * a) / (f * 1.7724538509055159);
        }
        return x < 0 ? -y : y;
    }

    private static double Power(int n) => Interop.IntAsFloat((ulong)(n + 1023L) << 52);
}

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// Functions as PTX. The hardware's own approximations are used only where their error is bounded by a few ulp; NaN propagates,
/// exp(−∞) = 0, exp(∞) = ∞.
/// </summary>
internal static class PtxMath
{
    // log2(e) as a float and what the float leaves out.
    private const float Log2E = 1.44269504f;
    private const float Log2ERest = (float)(1.4426950408889634 - 1.44269504f);
    private const float Ln2 = 0.693147181f;

    /// <summary>
    /// <paramref name="y"/> := exp(<paramref name="x"/>), about 2e-7 relative; the registers may be the same. 2^(x·log2 e) alone would lose
    /// |x|·6e-8, so the rounding of the product is kept and applied as a factor 1 + ln 2·rest. With <paramref name="flush"/>, results
    /// below 2^-126 become 0, which saves three instructions.
    /// </summary>
    public static void Exp(PtxWriter w, string y, string x, bool flush = false)
    {
        string t = w.F32("exp_t"), rest = w.F32("exp_rest");
        // Outside this range the result is 0 or ∞ anyway; the bounds keep ∞ − ∞ out of the rest. The NaN forms let NaN through.
        w.Op($"min.NaN.f32 {y}, {x}, {PtxWriter.Constant(89f)}");
        w.Op($"max.NaN.f32 {y}, {y}, {PtxWriter.Constant(-104f)}");
        w.Op($"mul.rn.f32 {t}, {y}, {PtxWriter.Constant(Log2E)}");
        w.Op($"neg.f32 {rest}, {t}");
        w.Op($"fma.rn.f32 {rest}, {y}, {PtxWriter.Constant(Log2E)}, {rest}");
        w.Op($"fma.rn.f32 {rest}, {y}, {PtxWriter.Constant(Log2ERest)}, {rest}");
        w.Op($"fma.rn.f32 {rest}, {rest}, {PtxWriter.Constant(Ln2)}, {PtxWriter.Constant(1f)}");
        w.Op($"ex2.approx{(flush ? ".ftz" : "")}.f32 {t}, {t}");
        w.Op($"mul.rn.f32 {y}, {t}, {rest}");
    }

    /// <summary><paramref name="x"/> := x / (1 + exp(−1.5957691 x (1 + 0.044715 x²))), the tanh form of the gaussian error linear unit.</summary>
    public static void Gelu(PtxWriter w, string x)
    {
        string t = w.F32("gelu_t");
        w.Op($"mul.rn.f32 {t}, {x}, {x}");
        w.Op($"fma.rn.f32 {t}, {t}, {PtxWriter.Constant(0.044715f)}, {PtxWriter.Constant(1f)}");
        w.Op($"mul.rn.f32 {t}, {t}, {x}");
        w.Op($"mul.rn.f32 {t}, {t}, {PtxWriter.Constant(-1.5957691216057308f)}");
        TimesSigmoid(w, x, t);
    }

    /// <summary><paramref name="x"/> := x / (1 + exp(−x)).</summary>
    public static void Silu(PtxWriter w, string x)
    {
        string t = w.F32("silu_t");
        w.Op($"neg.f32 {t}, {x}");
        TimesSigmoid(w, x, t);
    }

    /// <summary><paramref name="x"/> := max(x, 0), NaN stays.</summary>
    public static void Relu(PtxWriter w, string x) => w.Op($"max.NaN.f32 {x}, {x}, {PtxWriter.Constant(0f)}");

    // x := x / (1 + exp(t)). What is flushed to zero here is below 1e-36.
    private static void TimesSigmoid(PtxWriter w, string x, string t)
    {
        Exp(w, t, t, flush: true);
        w.Op($"add.rn.f32 {t}, {t}, {PtxWriter.Constant(1f)}");
        w.Op($"rcp.approx.ftz.f32 {t}, {t}");
        w.Op($"mul.rn.f32 {x}, {x}, {t}");
    }
}

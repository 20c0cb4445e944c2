using System.Numerics;

namespace Sfn.CudaEmulator.Execution;

/// <summary>What arithmetic instructions compute, by name without the modifiers that choose the only rounding there is. Rounding is to nearest.</summary>
internal static class Scalars
{
    private static readonly (string, Func<double, double, bool>)[] s_floatComparisons =
    [
        ("eq", static (a, b) => a == b),
        // Ordered: PTX's ne is false for NaN, unlike the operator.
        ("ne", static (a, b) => a < b || a > b),
        ("lt", static (a, b) => a < b),
        ("le", static (a, b) => a <= b),
        ("gt", static (a, b) => a > b),
        ("ge", static (a, b) => a >= b),
    ];

    private static readonly (string, Func<int, bool>)[] s_orders =
    [
        ("lt", static order => order < 0),
        ("le", static order => order <= 0),
        ("gt", static order => order > 0),
        ("ge", static order => order >= 0),
    ];

    // Reads the two lists above.
    private static readonly Dictionary<string, Scalar> s_all = Build();

    public static float F(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    public static ulong U(float value) => BitConverter.SingleToUInt32Bits(value);

    public static double D(ulong bits) => BitConverter.UInt64BitsToDouble(bits);

    public static ulong U(double value) => BitConverter.DoubleToUInt64Bits(value);

    /// <summary>The function of an instruction, given by opcode and modifiers; null if there is none.</summary>
    public static Scalar? Find(ReadOnlySpan<string> parts)
    {
        var kept = new List<string>();
        foreach (string part in parts)
            if (part is not ("rn" or "ftz" or "approx" or "full")) kept.Add(part);
        if (kept[0] == "cvt") return Conversions.Find(parts);
        string combine = kept is ["setp", _, "and" or "or" or "xor", ..] ? kept[2] : "";
        if (combine.Length > 0) kept.RemoveAt(2);
        if (!s_all.TryGetValue(string.Join('.', kept), out var found)) return null;
        if (combine.Length > 0) return Combine(combine, found);
        return parts.Contains("ftz") && kept is [not "setp", .., "f32"] ? (a, b, c) => Flush(found(Flush(a), Flush(b), Flush(c))) : found;
    }

    // A comparison's result with a further predicate.
    private static Scalar Combine(string with, Scalar compare) => with switch
    {
        "and" => (a, b, c) => compare(a, b, 0) & c & 1,
        "or" => (a, b, c) => (compare(a, b, 0) | c) & 1,
        _ => (a, b, c) => (compare(a, b, 0) ^ c) & 1,
    };

    // .ftz: numbers below the normal range count as zero of their sign.
    private static ulong Flush(ulong bits) => (bits & 0x7F80_0000) == 0 ? bits & 0x8000_0000 : bits;

    private static Dictionary<string, Scalar> Build()
    {
        var all = new Dictionary<string, Scalar>();
        AddFloats(all);
        AddIntegers<uint, int>(all, "32", v => (uint)v, v => (int)v);
        AddIntegers<ulong, long>(all, "64", v => v, v => (long)v);
        AddIntegers<ushort, short>(all, "16", v => (ushort)v, v => (short)v);
        AddHot(all);
        AddPredicates(all);
        return all;
    }

    private static void AddFloats(Dictionary<string, Scalar> all)
    {
        all["add.f32"] = static (a, b, _) => U(F(a) + F(b));
        all["sub.f32"] = static (a, b, _) => U(F(a) - F(b));
        all["mul.f32"] = static (a, b, _) => U(F(a) * F(b));
        all["div.f32"] = static (a, b, _) => U(F(a) / F(b));
        all["fma.f32"] = static (a, b, c) => U(MathF.FusedMultiplyAdd(F(a), F(b), F(c)));
        all["mad.f32"] = all["fma.f32"];
        all["neg.f32"] = static (a, _, _) => (uint)a ^ 0x8000_0000u;
        all["abs.f32"] = static (a, _, _) => (uint)a & 0x7FFF_FFFFu;
        all["min.f32"] = static (a, b, _) => U(float.MinNumber(F(a), F(b)));
        all["max.f32"] = static (a, b, _) => U(float.MaxNumber(F(a), F(b)));
        all["min.NaN.f32"] = static (a, b, _) => U(MathF.Min(F(a), F(b)));
        all["max.NaN.f32"] = static (a, b, _) => U(MathF.Max(F(a), F(b)));
        all["sqrt.f32"] = static (a, _, _) => U(MathF.Sqrt(F(a)));
        all["rsqrt.f32"] = static (a, _, _) => U((float)(1 / Math.Sqrt(F(a))));
        all["rcp.f32"] = static (a, _, _) => U(1 / F(a));
        all["ex2.f32"] = static (a, _, _) => U((float)Math.Pow(2, F(a)));
        all["lg2.f32"] = static (a, _, _) => U((float)Math.Log2(F(a)));
        all["sin.f32"] = static (a, _, _) => U((float)Math.Sin(F(a)));
        all["cos.f32"] = static (a, _, _) => U((float)Math.Cos(F(a)));
        all["tanh.f32"] = static (a, _, _) => U((float)Math.Tanh(F(a)));
        // copysign d, a, b: the sign of a, the magnitude of b.
        all["copysign.f32"] = static (a, b, _) => ((uint)a & 0x8000_0000u) | ((uint)b & 0x7FFF_FFFFu);
        all["add.f64"] = static (a, b, _) => U(D(a) + D(b));
        all["sub.f64"] = static (a, b, _) => U(D(a) - D(b));
        all["mul.f64"] = static (a, b, _) => U(D(a) * D(b));
        all["div.f64"] = static (a, b, _) => U(D(a) / D(b));
        all["fma.f64"] = static (a, b, c) => U(Math.FusedMultiplyAdd(D(a), D(b), D(c)));
        all["neg.f64"] = static (a, _, _) => a ^ (1UL << 63);
        all["abs.f64"] = static (a, _, _) => a & ~(1UL << 63);
        all["min.f64"] = static (a, b, _) => U(double.MinNumber(D(a), D(b)));
        all["max.f64"] = static (a, b, _) => U(double.MaxNumber(D(a), D(b)));
        all["sqrt.f64"] = static (a, _, _) => U(Math.Sqrt(D(a)));
        all["rcp.f64"] = static (a, _, _) => U(1 / D(a));
        foreach (string type in new[] { "f32", "f64" })
        {
            Func<ulong, double> wide = type == "f32" ? static bits => F(bits) : D;
            all[$"testp.notanumber.{type}"] = (a, _, _) => double.IsNaN(wide(a)) ? 1u : 0u;
            all[$"testp.number.{type}"] = (a, _, _) => double.IsNaN(wide(a)) ? 0u : 1u;
            all[$"testp.finite.{type}"] = (a, _, _) => double.IsFinite(wide(a)) ? 1u : 0u;
            all[$"testp.infinite.{type}"] = (a, _, _) => double.IsInfinity(wide(a)) ? 1u : 0u;
            foreach (var (name, compare) in s_floatComparisons)
            {
                all[$"setp.{name}.{type}"] = (a, b, _) => compare(wide(a), wide(b)) ? 1u : 0u;
                // Unordered: also true for NaN.
                all[$"setp.{name}u.{type}"] = (a, b, _) => compare(wide(a), wide(b)) || double.IsNaN(wide(a)) || double.IsNaN(wide(b)) ? 1u : 0u;
            }
            all[$"setp.num.{type}"] = (a, b, _) => double.IsNaN(wide(a)) || double.IsNaN(wide(b)) ? 0u : 1u;
            all[$"setp.nan.{type}"] = (a, b, _) => double.IsNaN(wide(a)) || double.IsNaN(wide(b)) ? 1u : 0u;
        }
    }

    private static void AddIntegers<TU, TS>(Dictionary<string, Scalar> all, string bits, Func<ulong, TU> u, Func<ulong, TS> s)
        where TU : unmanaged, IBinaryInteger<TU>, IMinMaxValue<TU>
        where TS : unmanaged, IBinaryInteger<TS>
    {
        int width = int.Parse(bits, System.Globalization.CultureInfo.InvariantCulture);
        static ulong Bits<T>(T value) where T : IBinaryInteger<T> => ulong.CreateTruncating(value);
        foreach (string type in new[] { "b" + bits, "u" + bits, "s" + bits })
        {
            all[$"add.{type}"] = (a, b, _) => a + b;
            all[$"sub.{type}"] = (a, b, _) => a - b;
            all[$"mul.lo.{type}"] = (a, b, _) => a * b;
            all[$"mad.lo.{type}"] = (a, b, c) => a * b + c;
            all[$"neg.{type}"] = (a, _, _) => 0 - a;
            all[$"and.{type}"] = (a, b, _) => a & b;
            all[$"or.{type}"] = (a, b, _) => a | b;
            all[$"xor.{type}"] = (a, b, _) => a ^ b;
            all[$"not.{type}"] = (a, _, _) => ~a;
            all[$"selp.{type}"] = (a, b, c) => (c & 1) != 0 ? a : b;
            all[$"setp.eq.{type}"] = (a, b, _) => u(a) == u(b) ? 1u : 0u;
            all[$"setp.ne.{type}"] = (a, b, _) => u(a) != u(b) ? 1u : 0u;
            // Shifts by the width or more give zero, or the sign.
            all[$"shl.{type}"] = (a, b, _) => (uint)b >= width ? 0 : a << (int)(uint)b;
            all[$"shr.{type}"] = type[0] == 's'
                ? (a, b, _) => Bits(s(a) >> (int)Math.Min((uint)b, width - 1))
                : (a, b, _) => (uint)b >= width ? 0 : Bits(u(a)) >> (int)(uint)b;
        }
        foreach (var (name, compare) in s_orders)
        {
            all[$"setp.{name}.s{bits}"] = (a, b, _) => compare(s(a).CompareTo(s(b))) ? 1u : 0u;
            all[$"setp.{name}.u{bits}"] = (a, b, _) => compare(u(a).CompareTo(u(b))) ? 1u : 0u;
        }
        // Unsigned comparisons have names of their own.
        foreach (var (name, other) in new[] { ("lo", "lt"), ("ls", "le"), ("hi", "gt"), ("hs", "ge") }) all[$"setp.{name}.u{bits}"] = all[$"setp.{other}.u{bits}"];
        all[$"min.s{bits}"] = (a, b, _) => Bits(TS.Min(s(a), s(b)));
        all[$"max.s{bits}"] = (a, b, _) => Bits(TS.Max(s(a), s(b)));
        all[$"min.u{bits}"] = (a, b, _) => Bits(TU.Min(u(a), u(b)));
        all[$"max.u{bits}"] = (a, b, _) => Bits(TU.Max(u(a), u(b)));
        // Division by zero gives all ones on NVIDIA's hardware.
        all[$"div.u{bits}"] = (a, b, _) => u(b) == TU.Zero ? ulong.MaxValue : Bits(u(a) / u(b));
        all[$"rem.u{bits}"] = (a, b, _) => u(b) == TU.Zero ? a : Bits(u(a) % u(b));
        all[$"div.s{bits}"] = (a, b, _) => s(b) == TS.Zero ? ulong.MaxValue : s(b) == -TS.One ? 0 - a : Bits(s(a) / s(b));
        all[$"rem.s{bits}"] = (a, b, _) => s(b) == TS.Zero ? a : s(b) == -TS.One ? 0 : Bits(s(a) % s(b));
        all[$"abs.s{bits}"] = (a, _, _) => TS.IsNegative(s(a)) ? 0 - a : a;
        all[$"popc.b{bits}"] = (a, _, _) => Bits(TU.PopCount(u(a)));
        all[$"clz.b{bits}"] = (a, _, _) => Bits(TU.LeadingZeroCount(u(a)));
        all[$"mul.hi.u{bits}"] = (a, b, _) => (ulong)((UInt128.CreateTruncating(u(a)) * UInt128.CreateTruncating(u(b))) >> width);
        all[$"mul.hi.s{bits}"] = (a, b, _) => ulong.CreateTruncating((Int128.CreateTruncating(s(a)) * Int128.CreateTruncating(s(b))) >> width);
        if (width == 64) return;
        all[$"mul.wide.u{bits}"] = (a, b, _) => Bits(u(a)) * Bits(u(b));
        all[$"mul.wide.s{bits}"] = (a, b, _) => (ulong)(long.CreateTruncating(s(a)) * long.CreateTruncating(s(b)));
        all[$"mad.wide.u{bits}"] = (a, b, c) => Bits(u(a)) * Bits(u(b)) + c;
        all[$"mad.wide.s{bits}"] = (a, b, c) => (ulong)(long.CreateTruncating(s(a)) * long.CreateTruncating(s(b))) + c;
    }

    // The same once more without detours, for what kernels spend their time on.
    private static void AddHot(Dictionary<string, Scalar> all)
    {
        all["setp.lt.s32"] = static (a, b, _) => (int)a < (int)b ? 1u : 0u;
        all["setp.le.s32"] = static (a, b, _) => (int)a <= (int)b ? 1u : 0u;
        all["setp.gt.s32"] = static (a, b, _) => (int)a > (int)b ? 1u : 0u;
        all["setp.ge.s32"] = static (a, b, _) => (int)a >= (int)b ? 1u : 0u;
        all["setp.eq.u32"] = all["setp.eq.s32"] = all["setp.eq.b32"] = static (a, b, _) => (uint)a == (uint)b ? 1u : 0u;
        all["setp.ne.u32"] = all["setp.ne.s32"] = all["setp.ne.b32"] = static (a, b, _) => (uint)a != (uint)b ? 1u : 0u;
        all["div.u32"] = static (a, b, _) => (uint)b == 0 ? uint.MaxValue : (uint)a / (uint)b;
        all["rem.u32"] = static (a, b, _) => (uint)b == 0 ? a : (uint)a % (uint)b;
        all["shl.b32"] = static (a, b, _) => (uint)b >= 32 ? 0 : (uint)a << (int)b;
        all["shr.u32"] = all["shr.b32"] = static (a, b, _) => (uint)b >= 32 ? 0 : (uint)a >> (int)b;
        all["shr.s32"] = static (a, b, _) => (ulong)((int)a >> (int)Math.Min((uint)b, 31));
        all["mul.wide.u32"] = static (a, b, _) => (ulong)(uint)a * (uint)b;
        all["mul.wide.s32"] = static (a, b, _) => (ulong)((long)(int)a * (int)b);
    }

    private static void AddPredicates(Dictionary<string, Scalar> all)
    {
        all["and.pred"] = static (a, b, _) => a & b & 1;
        all["or.pred"] = static (a, b, _) => (a | b) & 1;
        all["xor.pred"] = static (a, b, _) => (a ^ b) & 1;
        all["not.pred"] = static (a, _, _) => ~a & 1;
        all["selp.f32"] = all["selp.b32"];
        all["selp.f64"] = all["selp.b64"];
    }
}

using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests;

public unsafe class FloatMathTests
{
    private const double Normal = 1.17549435e-38;

    public static TheoryData<string> Lanes => ["F1", "F4", "F8", "F16", "Two<F1>", "Two<F4>", "Two<F8>", "Two<F16>", "F16x4"];

    [Theory]
    [MemberData(nameof(Lanes))]
    public void Functions_match_float64_over_all_bit_patterns(string lane)
    {
        Check(lane, new Exp(), Math.Exp, 1.1e-7);
        Check(lane, new Log(), Math.Log, 1.0e-7);
        Check(lane, new Tanh(), Math.Tanh, 1.9e-7);
        Check(lane, new Erf(), x => D1.Erf(new(x)).V, 1.0e-7);
    }

    [Theory]
    [MemberData(nameof(Lanes))]
    public void Special_values_are_the_contract(string lane)
    {
        float inf = float.PositiveInfinity, nan = float.NaN;
        Equal(new Exp(), [0, -0f, inf, -inf, nan, 88.8f, -87.4f, 1000, -1000], [1, 1, inf, 0, nan, inf, 0, inf, 0]);
        Equal(new Log(), [1, 0, -0f, inf, -inf, nan, -1, -float.Epsilon], [0, -inf, -inf, inf, nan, nan, nan, nan]);
        Equal(new Tanh(), [0, -0f, inf, -inf, nan, 50, -50, 1e-30f], [0, -0f, 1, -1, nan, 1, -1, 1e-30f]);
        Equal(new Erf(), [0, -0f, inf, -inf, nan, 50, -50], [0, -0f, 1, -1, nan, 1, -1]);
        Equal(new Sigmoid(), [0, inf, -inf, nan], [0.5f, 1, 0, nan]);
        Equal(new Relu(), [-1, 0, inf, -inf, nan, 3], [0, 0, inf, 0, nan, 3]);
        Equal(new Clamp(-1, 1), [-2, 0.5f, inf, -inf, nan], [-1, 0.5f, 1, -1, nan]);

        void Equal<TOp>(TOp op, float[] x, float[] expected) where TOp : struct, IUnary
        {
            float[] y = Run(lane, op, x);
            for (int i = 0; i < x.Length; i++)
                Assert.True(expected[i].Equals(y[i]), $"{TOp.Name}({x[i]}) on {lane}: {y[i]}, expected {expected[i]}");
        }
    }

    [Theory]
    [MemberData(nameof(Lanes))]
    public void Log_of_subnormals_is_right(string lane)
    {
        float[] x = [float.Epsilon, 1e-40f, 1.1e-38f];
        float[] y = Run(lane, new Log(), x);
        for (int i = 0; i < x.Length; i++) Assert.Equal(Math.Log(x[i]), y[i], 1e-5);
    }

    [Fact]
    public void NaN_with_any_payload_stays_NaN()
    {
        foreach (int bits in (int[])[0x7fc00001, 0x7f800001, unchecked((int)0xffc12345), unchecked((int)0xffffffff)])
        {
            var x = new F1(BitConverter.Int32BitsToSingle(bits));
            Assert.True(float.IsNaN(F1.Exp(x).V) && float.IsNaN(F1.Log(x).V) && float.IsNaN(F1.Tanh(x).V) && float.IsNaN(F1.Erf(x).V));
        }
    }

    [Theory]
    [InlineData(0.1, 0.1124629160182849)]
    [InlineData(1, 0.84270079294971487)]
    [InlineData(2.4, 0.99931148610335492)]
    [InlineData(2.6, 0.99976396558347065)]
    [InlineData(-3, -0.99997790950300141)]
    [InlineData(7, 1)]
    public void Reference_erf_is_exact_to_1e15(double x, double expected) => Assert.Equal(expected, D1.Erf(new(x)).V, 1e-15);

    [Fact]
    public void Min_and_max_propagate_NaN_from_either_side()
    {
        foreach (string lane in (string[])["F1", "F4", "F8", "F16"])
        {
            Assert.True(float.IsNaN(Run(lane, new MinOf(float.NaN), [1f])[0]));
            Assert.True(float.IsNaN(Run(lane, new MinOf(1), [float.NaN])[0]));
            Assert.Equal(-2, Run(lane, new MinOf(-2), [1f])[0]);
        }
    }

    [Fact]
    public void Vec_is_the_lane()
    {
        var x = System.Runtime.Intrinsics.Vector128.Create(-1f, 0, 1, 2);
        Assert.Equal(F4.Exp(new F4(x)).V, Vec.Exp(x));
        Assert.Equal(F1.Log(new F1(3)).V, Vec.Log(3f));
    }

    private static void Check<TOp>(string lane, TOp op, Func<double, double> exact, double tolerance) where TOp : struct, IUnary
    {
        const uint Stride = 250_007;
        var x = new List<float>();
        for (ulong bits = 0; bits < 0x1_0000_0000; bits += Stride) x.Add(BitConverter.UInt32BitsToSingle((uint)bits));
        float[] y = Run(lane, op, [.. x]);
        for (int i = 0; i < y.Length; i++)
        {
            double want = exact(x[i]);
            bool right = double.IsNaN(want) ? float.IsNaN(y[i])
                : Math.Abs(want) < Normal ? Math.Abs(y[i]) <= Normal
                : Math.Abs(want) > float.MaxValue ? y[i] == (float)want
                : Math.Abs(y[i] - want) <= tolerance * Math.Abs(want);
            Assert.True(right, $"{TOp.Name}({x[i]:R}) on {lane}: {y[i]:R}, expected {want:R}");
        }
    }

    private static float[] Run<TOp>(string lane, TOp op, float[] x) where TOp : struct, IUnary
    {
        var y = new float[x.Length];
        fixed (float* from = x, to = y)
        {
            long n = x.Length;
            switch (lane)
            {
                case "F1": Backends.Cpu.MapWalker.Forward<TOp, F1>(op, from, to, n); break;
                case "F4": Backends.Cpu.MapWalker.Forward<TOp, F4>(op, from, to, n); break;
                case "F8": Backends.Cpu.MapWalker.Forward<TOp, F8>(op, from, to, n); break;
                case "F16": Backends.Cpu.MapWalker.Forward<TOp, F16>(op, from, to, n); break;
                case "Two<F1>": Backends.Cpu.MapWalker.Forward<TOp, Two<F1>>(op, from, to, n); break;
                case "Two<F4>": Backends.Cpu.MapWalker.Forward<TOp, Two<F4>>(op, from, to, n); break;
                case "Two<F8>": Backends.Cpu.MapWalker.Forward<TOp, Two<F8>>(op, from, to, n); break;
                case "F16x4": Backends.Cpu.MapWalker.Forward<TOp, F16x4>(op, from, to, n); break;
                default: Backends.Cpu.MapWalker.Forward<TOp, Two<F16>>(op, from, to, n); break;
            }
        }
        return y;
    }

    private readonly struct MinOf(float other) : IUnary
    {
        public static string Name => "min_of";

        public static Keep Keeps => Keep.None;

        public L Forward<L>(L x) where L : struct, ILane<L> => L.Min(x, other);

        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => dy;
    }
}

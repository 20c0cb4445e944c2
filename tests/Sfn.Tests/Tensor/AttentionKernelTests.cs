using Sfn.Backends.Cpu;

namespace Sfn.Tests;

/// <summary>The CPU attention kernels against the formulas in double.</summary>
[Collection("CpuPool.Threads")]
public sealed unsafe class AttentionKernelTests
{
    /// <summary>One attention problem with its memory; Packed puts q, k and v into one [batch, token, q | k | v] buffer, as a fused projection does.</summary>
    private sealed class Case
    {
        public int Batch = 1, Tq, Tk, Heads = 1, KvHeads = 1, D;
        public bool Causal, Packed;
        public float[] Q = [], K = [], V = [], O = [], Lse = [], DO = [], DQ = [], DK = [], DV = [];
        public byte[]? Mask;
        private long _qToken, _kToken;

        public Case Fill(int seed)
        {
            var random = new Random(seed);
            _qToken = Packed ? (Heads + 2 * KvHeads) * D : Heads * D;
            _kToken = Packed ? _qToken : KvHeads * D;
            if (Packed) Q = K = V = Normal(random, Batch * Tq * _qToken);
            else
            {
                Q = Normal(random, Batch * Tq * _qToken);
                K = Normal(random, Batch * Tk * _kToken);
                V = Normal(random, Batch * Tk * _kToken);
            }
            DO = Normal(random, (long)Batch * Tq * Heads * D);
            O = Junk(DO.Length);
            Lse = Junk(Batch * Heads * Tq);
            DQ = Junk(Q.Length);
            DK = Packed ? DQ : Junk(K.Length);
            DV = Packed ? DQ : Junk(V.Length);
            return this;
        }

        public float Scale => 1f / MathF.Sqrt(D);
        public int KOffset => Packed ? Heads * D : 0;
        public int VOffset => Packed ? (Heads + KvHeads) * D : 0;
        public long QAt(int b, int t, int h) => (b * Tq + t) * _qToken + h * D;
        public long KAt(int b, int t, int h) => (b * Tk + t) * _kToken + h * D + KOffset;
        public long VAt(int b, int t, int h) => (b * Tk + t) * _kToken + h * D + VOffset;
        public long OAt(int b, int t, int h) => (((long)b * Tq) + t) * Heads * D + h * D;
        public bool Sees(int b, int i, int j) => (!Causal || j <= i + Tk - Tq) && (Mask is null || Mask[b * Tk + j] != 0);

        public void Run(bool backward)
        {
            fixed (float* q = Q, k = K, v = V, o = O, lse = Lse, go = DO, gq = DQ, gk = DK, gv = DV)
            fixed (byte* mask = Mask)
            {
                var p = new AttentionProblem
                {
                    Batch = Batch,
                    Tq = Tq,
                    Tk = Tk,
                    Heads = Heads,
                    KvHeads = KvHeads,
                    HeadDim = D,
                    Q = q,
                    K = k + KOffset,
                    V = v + VOffset,
                    O = o,
                    Lse = lse,
                    Scale = Scale,
                    Causal = Causal,
                    KeyMask = mask,
                    KeyMaskBatch = Tk,
                    QBatch = Tq * _qToken,
                    QToken = _qToken,
                    QHead = D,
                    KBatch = Tk * _kToken,
                    KToken = _kToken,
                    KHead = D,
                    VBatch = Tk * _kToken,
                    VToken = _kToken,
                    VHead = D,
                    OBatch = (long)Tq * Heads * D,
                    OToken = Heads * D,
                    OHead = D,
                    DO = go,
                    DOBatch = (long)Tq * Heads * D,
                    DOToken = Heads * D,
                    DOHead = D,
                    DQ = gq,
                    DQBatch = Tq * _qToken,
                    DQToken = _qToken,
                    DQHead = D,
                    DK = gk + KOffset,
                    DKBatch = Tk * _kToken,
                    DKToken = _kToken,
                    DKHead = D,
                    DV = gv + VOffset,
                    DVBatch = Tk * _kToken,
                    DVToken = _kToken,
                    DVHead = D,
                };
                FlashAttention.Forward(p);
                if (backward) FlashAttention.Backward(p);
            }
        }

        /// <summary>Runs both passes and compares them with loops in double.</summary>
        public void Check(bool backward = true)
        {
            Run(backward);
            double[] gq = new double[Q.Length], gk = Packed ? gq : new double[K.Length], gv = Packed ? gq : new double[V.Length];
            var weights = new double[Tk];
            for (int b = 0; b < Batch; b++)
                for (int h = 0; h < Heads; h++)
                    for (int i = 0; i < Tq; i++)
                    {
                        int kv = h / (Heads / KvHeads);
                        long q = QAt(b, i, h), o = OAt(b, i, h);
                        double max = double.NegativeInfinity, sum = 0;
                        for (int j = 0; j < Tk; j++)
                        {
                            double s = 0;
                            for (int c = 0; c < D; c++) s += (double)Q[q + c] * K[KAt(b, j, kv) + c];
                            weights[j] = Sees(b, i, j) ? s * Scale : double.NegativeInfinity;
                            max = Math.Max(max, weights[j]);
                        }
                        for (int j = 0; j < Tk; j++) sum += weights[j] = double.IsNegativeInfinity(max) ? 0 : Math.Exp(weights[j] - max);
                        double lse = double.IsNegativeInfinity(max) ? max : max + Math.Log(sum), delta = 0;
                        Near(lse, Lse[(b * Heads + h) * Tq + i], 4e-6, $"lse[{b},{h},{i}]");
                        for (int c = 0; c < D; c++)
                        {
                            double y = 0;
                            for (int j = 0; j < Tk; j++) y += sum == 0 ? 0 : weights[j] / sum * V[VAt(b, j, kv) + c];
                            Near(y, O[o + c], 4e-6, $"o[{b},{i},{h},{c}]");
                            delta += y * DO[o + c];
                        }
                        for (int j = 0; j < Tk && sum > 0; j++)
                        {
                            double w = weights[j] / sum, dp = 0;
                            for (int c = 0; c < D; c++) dp += (double)DO[o + c] * V[VAt(b, j, kv) + c];
                            double ds = w * (dp - delta) * Scale;
                            for (int c = 0; c < D; c++)
                            {
                                gv[VAt(b, j, kv) + c] += w * DO[o + c];
                                gq[q + c] += ds * K[KAt(b, j, kv) + c];
                                gk[KAt(b, j, kv) + c] += ds * Q[q + c];
                            }
                        }
                    }
            if (!backward) return;
            for (int i = 0; i < gq.Length; i++) Near(gq[i], DQ[i], 3e-5, $"dq[{i}]");
            for (int i = 0; i < gk.Length; i++) Near(gk[i], DK[i], 3e-5, $"dk[{i}]");
            for (int i = 0; i < gv.Length; i++) Near(gv[i], DV[i], 3e-5, $"dv[{i}]");
        }

        private static void Near(double expected, float actual, double tolerance, string what)
        {
            if (double.IsNegativeInfinity(expected) && float.IsNegativeInfinity(actual)) return;
            Assert.True(Math.Abs(expected - actual) <= tolerance * (1 + Math.Abs(expected)), $"{what}: expected {expected}, got {actual}");
        }

        private static float[] Normal(Random random, long count)
        {
            var x = new float[count];
            for (int i = 0; i < x.Length; i++)
                x[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
            return x;
        }

        /// <summary>Outputs start as NaN: whatever is not overwritten shows.</summary>
        private static float[] Junk(int count)
        {
            var x = new float[count];
            Array.Fill(x, float.NaN);
            return x;
        }
    }

    [Theory]
    [InlineData(1, 1, 1, 1, 8)]
    [InlineData(2, 16, 2, 2, 8)]
    [InlineData(1, 33, 3, 3, 16)]
    [InlineData(1, 70, 2, 1, 20)]
    [InlineData(2, 64, 4, 2, 64)]
    [InlineData(1, 131, 2, 1, 64)]
    [InlineData(1, 97, 1, 1, 128)]
    [InlineData(1, 200, 6, 2, 8)]
    [InlineData(1, 19, 1, 1, 1)]
    [InlineData(1, 67, 1, 1, 13)]
    public void EqualsTheFormula(int batch, int tokens, int heads, int kvHeads, int d)
    {
        foreach (bool causal in new[] { true, false })
            foreach (bool packed in new[] { false, true })
                new Case { Batch = batch, Tq = tokens, Tk = tokens, Heads = heads, KvHeads = kvHeads, D = d, Causal = causal, Packed = packed }
                    .Fill(tokens + d).Check();
    }

    [Theory]
    [InlineData(1, 1, 64)]
    [InlineData(1, 5, 20)]
    [InlineData(1, 200, 64)]
    [InlineData(1, 131, 8)]
    [InlineData(1, 63, 128)]
    [InlineData(1, 70, 13)]
    [InlineData(2, 70, 16)]
    [InlineData(7, 150, 64)]
    [InlineData(65, 129, 20)]
    [InlineData(3, 200, 128)]
    [InlineData(90, 20, 16)]
    public void FewQueriesLineUpWithTheEndOfTheCache(int tq, int tk, int d)
    {
        foreach (bool causal in new[] { true, false })
            new Case { Batch = 2, Tq = tq, Tk = tk, Heads = 4, KvHeads = 2, D = d, Causal = causal }.Fill(tq + tk).Check();
    }

    [Theory]
    [InlineData(1, 100)]
    [InlineData(100, 100)]
    [InlineData(40, 130)]
    public void PaddingIsIgnored(int tq, int tk)
    {
        var random = new Random(5);
        foreach (bool causal in new[] { true, false })
        {
            var mask = new byte[3 * tk];
            for (int j = 0; j < tk; j++)
            {
                mask[j] = (byte)random.Next(2);              // any pattern
                mask[tk + j] = (byte)(j < tk / 2 ? 1 : 0);   // padding behind; the last element has no key at all
            }
            new Case { Batch = 3, Tq = tq, Tk = tk, Heads = 2, KvHeads = 1, D = 16, Causal = causal, Mask = mask }.Fill(tk).Check();
        }
    }

    [Fact]
    public void NoKeysGiveZeros()
    {
        foreach (int tq in new[] { 1, 5 })
        {
            var none = new Case { Batch = 2, Tq = tq, Tk = 0, Heads = 2, KvHeads = 2, D = 8 }.Fill(1);
            none.Check();
            Assert.All(none.O, x => Assert.Equal(0f, x));
            Assert.All(none.Lse, x => Assert.Equal(float.NegativeInfinity, x));
        }
    }

    [Fact]
    public void LargeScoresDoNotOverflow()
    {
        foreach (int tq in new[] { 1, 40 })
        {
            var big = new Case { Tq = tq, Tk = 40, D = 8 }.Fill(2);
            for (int i = 0; i < big.Q.Length; i++) big.Q[i] *= 1e4f;
            big.Run(true);
            Assert.All(big.O.Concat(big.Lse).Concat(big.DQ).Concat(big.DK).Concat(big.DV), x => Assert.True(float.IsFinite(x)));
        }
    }

    [Fact]
    public void NaNPropagates()
    {
        foreach (int tokens in new[] { 1, 50 })
        {
            var input = new Case { Tq = tokens, Tk = tokens, D = 16, Causal = true }.Fill(3);
            input.Q[(tokens - 1) * 16 + 3] = float.NaN;
            input.Run(true);
            for (int i = 0; i < input.O.Length; i++) Assert.Equal(i >= (tokens - 1) * 16, float.IsNaN(input.O[i]));
            Assert.True(float.IsNaN(input.Lse[tokens - 1]));
            Assert.Contains(input.DK, float.IsNaN);

            var value = new Case { Tq = tokens, Tk = tokens, D = 16 }.Fill(4);
            value.V[3] = float.NaN;
            value.Run(false);
            for (int i = 0; i < value.O.Length; i++) Assert.Equal(i % 16 == 3, float.IsNaN(value.O[i]));
        }
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        int before = CpuPool.Threads;
        try
        {
            foreach (int tq in new[] { 150, 1 })
            {
                float[][]? first = null;
                foreach (int threads in new[] { 1, 2, 5 })
                {
                    CpuPool.Threads = threads;
                    var run = new Case { Batch = 2, Tq = tq, Tk = 150, Heads = 4, KvHeads = 2, D = 64, Causal = true }.Fill(6);
                    run.Run(true);
                    float[][] results = [run.O, run.Lse, run.DQ, run.DK, run.DV];
                    first ??= results;
                    for (int i = 0; i < results.Length; i++) Assert.Equal(first[i], results[i]);
                }
            }
        }
        finally
        {
            CpuPool.Threads = before;
        }
    }

    [Fact]
    public void RepeatedCallsAllocateNothing()
    {
        var run = new Case { Tq = 70, Tk = 70, Heads = 2, KvHeads = 2, D = 16, Causal = true }.Fill(7);
        run.Run(true);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++) run.Run(true);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void HeadsThatDoNotDivideAreRefused()
    {
        var error = Assert.Throws<ArgumentException>(() => FlashAttention.Forward(new AttentionProblem { Batch = 1, Heads = 5, KvHeads = 2, HeadDim = 8 }));
        Assert.Contains("5 query heads", error.Message);
    }
}

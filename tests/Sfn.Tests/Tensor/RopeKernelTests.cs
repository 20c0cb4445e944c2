using Sfn.Backends.Cpu;

namespace Sfn.Tests;

/// <summary>The rotary embedding against the rotation in double.</summary>
[Collection("CpuPool.Threads")]
public sealed unsafe class RopeKernelTests
{
    [Theory]
    [InlineData(1, 1, 1, 2)]
    [InlineData(2, 9, 3, 8)]
    [InlineData(1, 33, 2, 20)]
    [InlineData(2, 70, 4, 64)]
    [InlineData(1, 300, 2, 128)]
    [InlineData(1, 5, 1, 46)]
    public void TurnsPairsAndBack(int batch, int tokens, int heads, int d)
    {
        const int Start = 3;
        int half = d / 2, token = heads * d + 5; // rows wider than the heads: a slice of a packed buffer
        int[] starts = [.. Enumerable.Range(0, batch).Select(b => b * 2)];
        var random = new Random(d);
        float[] x = new float[batch * tokens * token], y = new float[batch * heads * tokens * d], back = new float[x.Length];
        for (int i = 0; i < x.Length; i++) x[i] = random.NextSingle() - 0.5f;
        int positions = tokens + Start + 2 * batch;
        float[] cos = new float[positions * half], sin = new float[positions * half];
        for (int p = 0; p < positions; p++)
            for (int i = 0; i < half; i++) (sin[p * half + i], cos[p * half + i]) = ((float)Math.Sin(Angle(p, i)), (float)Math.Cos(Angle(p, i)));

        foreach (bool perBatch in new[] { false, true })
        {
            fixed (float* px = x, py = y, pb = back, pc = cos, ps = sin)
            fixed (int* at = starts)
            {
                // Into [batch, head, token, d] and back into the packed layout.
                long xb = (long)tokens * token, yb = (long)heads * tokens * d, yh = (long)tokens * d;
                if (perBatch) RopeWalker.Run(px, xb, token, d, py, yb, d, yh, batch, tokens, heads, d, at, pc, ps, false);
                else RopeWalker.Run(px, xb, token, d, py, yb, d, yh, batch, tokens, heads, d, Start, pc, ps, false);
                Compare(perBatch);
                if (perBatch) RopeWalker.Run(py, yb, d, yh, pb, xb, token, d, batch, tokens, heads, d, at, pc, ps, true);
                else RopeWalker.Run(py, yb, d, yh, pb, xb, token, d, batch, tokens, heads, d, Start, pc, ps, true);
            }
            for (int i = 0; i < x.Length; i++) Assert.Equal(i % token < heads * d ? x[i] : 0f, back[i], 1e-6f);
        }

        double Angle(int p, int i) => p * Math.Pow(10000, -2.0 * i / d);

        void Compare(bool perBatch)
        {
            for (int b = 0; b < batch; b++)
                for (int h = 0; h < heads; h++)
                    for (int t = 0; t < tokens; t++)
                        for (int i = 0; i < half; i++)
                        {
                            long from = (long)(b * tokens + t) * token + h * d + i, to = ((long)(b * heads + h) * tokens + t) * d + i;
                            double angle = Angle((perBatch ? starts[b] : Start) + t, i), c = Math.Cos(angle), s = Math.Sin(angle);
                            Assert.Equal(x[from] * c - x[from + half] * s, y[to], 1e-6);
                            Assert.Equal(x[from + half] * c + x[from] * s, y[to + half], 1e-6);
                        }
        }
    }

    [Fact]
    public void WorksInPlaceAndAllocatesNothing()
    {
        const int Tokens = 40, D = 64;
        float[] x = new float[Tokens * D], y = new float[Tokens * D], cos = new float[Tokens * D / 2], sin = new float[Tokens * D / 2];
        for (int i = 0; i < x.Length; i++) x[i] = i % 17;
        for (int i = 0; i < cos.Length; i++) (sin[i], cos[i]) = MathF.SinCos(i);
        fixed (float* px = x, py = y, pc = cos, ps = sin)
        {
            RopeWalker.Run(px, 0, D, 0, py, 0, D, 0, 1, Tokens, 1, D, 0, pc, ps, false);
            long before = GC.GetAllocatedBytesForCurrentThread();
            RopeWalker.Run(px, 0, D, 0, px, 0, D, 0, 1, Tokens, 1, D, 0, pc, ps, false);
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
        Assert.Equal(y, x);
    }

    [Fact]
    public void AnOddHeadDimIsRefused()
    {
        var error = Assert.Throws<ArgumentException>(() => RopeWalker.Run(null, 0, 0, 0, null, 0, 0, 0, 1, 1, 1, 7, 0, null, null, false));
        Assert.Contains("7", error.Message);
    }
}

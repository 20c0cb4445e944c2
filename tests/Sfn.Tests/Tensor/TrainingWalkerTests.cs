using Sfn.Backends;
using Sfn.Backends.Cpu;
using Sfn.Kernels;
using static Sfn.Tests.WalkerTests;

namespace Sfn.Tests;

public unsafe class TrainingWalkerTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(33)]
    [InlineData(2048)]
    [InlineData(5003)]
    public void Cross_entropy_and_its_gradient(int classes)
    {
        const int Rows = 6;
        const float Scale = 0.25f;
        float[] x = Random(Rows * classes, 1), before = [.. x], losses = new float[Rows], again = new float[Rows];
        int[] targets = [0, classes - 1, -100, 2, classes / 2, 1];
        x[3 * classes + 1] = before[3 * classes + 1] = float.NegativeInfinity;
        for (int c = 0; c < Math.Min(2048, classes - 1); c++) x[4 * classes + c] = before[4 * classes + c] = c == classes / 2 ? 1 : float.NegativeInfinity;
        fixed (float* px = x, pl = losses, pa = again)
        fixed (int* pt = targets)
        {
            CrossEntropyWalker.Run(px, classes, pt, pa, Rows, classes, -100, gradient: false, Scale);
            Assert.Equal(before, x);
            CrossEntropyWalker.Run(px, classes, pt, pl, Rows, classes, -100, gradient: true, Scale);
        }
        Assert.Equal(again, losses);
        for (int r = 0; r < Rows; r++)
        {
            double lse = Math.Log(Enumerable.Range(0, classes).Sum(c => Math.Exp(before[r * classes + c])));
            bool ignored = targets[r] == -100;
            Near(ignored ? 0 : lse - before[r * classes + targets[r]], losses[r], 2e-6);
            for (int c = 0; c < classes; c++)
            {
                double p = Math.Exp(before[r * classes + c] - lse);
                Near(ignored ? 0 : (p - (c == targets[r] ? 1 : 0)) * Scale, x[r * classes + c], 1e-6);
            }
        }
    }

    [Fact]
    public void A_target_outside_the_classes_is_an_error_that_names_it()
    {
        static void Run()
        {
            float x = 0, loss = 0;
            int target = 9;
            CrossEntropyWalker.Run(&x, 1, &target, &loss, 1, 1, -100, gradient: false, 1);
        }
        var error = Assert.Throws<ArgumentOutOfRangeException>(Run);
        Assert.Contains("Target 9 of row 0", error.Message);
    }

    [Theory]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(40_001)]
    public void AdamW_is_torch_s(int n)
    {
        const double Lr = 1e-2, Beta1 = 0.9, Beta2 = 0.999, Eps = 1e-8, Decay = 0.1, Scale = 0.5;
        float[] p = Random(n, 1), g = Random(n, 2), m = new float[n], v = new float[n];
        var shadow = new BFloat16[n];
        double[] ep = [.. p.Select(x => (double)x)], em = new double[n], ev = new double[n];
        for (int t = 1; t <= 3; t++)
        {
            double bc1 = 1 - Math.Pow(Beta1, t), bc2 = 1 - Math.Pow(Beta2, t);
            var settings = new AdamWSettings(Lr, Beta1, Beta2, Eps, Decay, t);
            fixed (float* pp = p, pg = g, pm = m, pv = v)
            fixed (BFloat16* ps = shadow) AdamWWalker.Step(pp, pg, pm, pv, t == 3 ? ps : null, n, settings, (float)Scale);
            for (int i = 0; i < n; i++)
            {
                double gradient = g[i] * Scale;
                ep[i] *= 1 - Lr * Decay;
                em[i] += (1 - Beta1) * (gradient - em[i]);
                ev[i] = Beta2 * ev[i] + (1 - Beta2) * gradient * gradient;
                ep[i] -= Lr / bc1 * em[i] / (Math.Sqrt(ev[i]) / Math.Sqrt(bc2) + Eps);
            }
        }
        for (int i = 0; i < n; i++)
        {
            Near(ep[i], p[i], 1e-6);
            Assert.Equal(ev[i], v[i], Math.Max(1e-12, 1e-6 * ev[i]));
            Assert.Equal((BFloat16)p[i], shadow[i]);
        }
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(0.9, false)]
    [InlineData(0.9, true)]
    public void Sgd_is_torch_s(double momentum, bool nesterov)
    {
        const int N = 77;
        const double Lr = 0.1, Decay = 0.01;
        float[] p = Random(N, 1), g = Random(N, 2), b = new float[N];
        var shadow = new BFloat16[N];
        double[] ep = [.. p.Select(x => (double)x)], eb = new double[N];
        for (int t = 0; t < 3; t++)
        {
            var settings = new SgdSettings(Lr, momentum, Decay);
            fixed (float* pp = p, pg = g, pb = b)
            fixed (BFloat16* ps = shadow) SgdWalker.Step(pp, pg, momentum == 0 ? null : pb, t == 2 ? ps : null, N, settings, 1, nesterov);
            for (int i = 0; i < N; i++)
            {
                double gradient = g[i] + Decay * ep[i];
                eb[i] = momentum * eb[i] + gradient;
                ep[i] -= Lr * (nesterov ? gradient + momentum * eb[i] : eb[i]);
            }
        }
        for (int i = 0; i < N; i++) Near(ep[i], p[i], 1e-6);
        for (int i = 0; i < N; i++) Assert.Equal((BFloat16)p[i], shadow[i]);
    }
}

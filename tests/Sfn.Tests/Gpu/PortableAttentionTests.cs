using global::Sfn.Backends;

namespace Sfn.Tests.Gpu;

/// <summary>The attention kernels of the device under test, through its backend, against float64.</summary>
public sealed class PortableAttentionTests
{
    [Theory]
    [InlineData(1, 1, 1, 1, 1, 8)]
    [InlineData(1, 19, 19, 1, 1, 1)]
    [InlineData(1, 67, 67, 1, 1, 13)]
    [InlineData(2, 16, 16, 2, 2, 8)]
    [InlineData(1, 70, 70, 2, 1, 20)]
    [InlineData(2, 64, 64, 4, 2, 64)]
    [InlineData(1, 97, 97, 1, 1, 128)]
    [InlineData(1, 40, 40, 2, 1, 200)]
    [InlineData(1, 33, 90, 1, 1, 256)]
    [InlineData(1, 20, 30, 1, 1, 320)]
    [InlineData(2, 65, 129, 4, 2, 20)]
    [InlineData(2, 90, 20, 4, 2, 16)]
    public void EqualsTheFormula(int batch, int tq, int tk, int heads, int kvHeads, int dim) => Check(batch, tq, tk, heads, kvHeads, dim);

    [Theory]
    [InlineData(2, 1, 200, 4, 2, 64)]
    [InlineData(2, 5, 20, 4, 2, 64)]
    [InlineData(1, 1, 1000, 2, 1, 128)]
    [InlineData(1, 3, 700, 2, 1, 256)]
    [InlineData(1, 2, 600, 1, 1, 300)]
    [InlineData(1, 40, 600, 1, 1, 64)]
    public void FewQueriesCutTheKeysIntoParts(int batch, int tq, int tk, int heads, int kvHeads, int dim) => Check(batch, tq, tk, heads, kvHeads, dim);

    [Theory]
    [InlineData(1, 0, 5)]
    [InlineData(1, 5, 0)]
    [InlineData(0, 5, 5)]
    public void NothingIsAlsoAProblem(int batch, int tq, int tk) => Check(batch, tq, tk, 1, 1, 8);

    [Theory]
    [InlineData(1, 70, 70, 2, 1, 64)]
    [InlineData(1, 2, 600, 2, 1, 80)]
    public void BFloat16IsStorageOnly(int batch, int tq, int tk, int heads, int kvHeads, int dim)
    {
        var kernel = Kernel(out var device);
        Assert.SkipUnless(kernel.Takes(DType.BF16), $"{device} takes float32 only.");
        var x = new AttentionOracle { Batch = batch, Tq = tq, Tk = tk, Heads = heads, KvHeads = kvHeads, Dim = dim, Causal = true }
            .Fill(5, masked: false, value => (float)(BFloat16)value);
        using var scope = new Scope();
        var run = new Run(x, device, packed: false, DType.BF16);
        kernel.Attention(run.Views);
        kernel.AttentionGrad(run.Views, run.DO.View, run.DQ.View, run.DK.View, run.DV.View);
        x.Near(x.Lse, run.Lse.ToArray(), 4e-6, "lse");
        x.Near(x.O, run.O.ToArray(), 4e-3, "o");
        x.Near(x.DQ, run.DQ.ToArray(), 1e-2, "dq");
        x.Near(x.DK, run.DK.ToArray(), 1e-2, "dk");
        x.Near(x.DV, run.DV.ToArray(), 1e-2, "dv");
    }

    [Fact]
    public void NaNReachesItsRowOnly()
    {
        const int Tokens = 50, Dim = 16;
        var kernel = Kernel(out var device);
        var x = new AttentionOracle { Batch = 1, Tq = Tokens, Tk = Tokens, Heads = 1, KvHeads = 1, Dim = Dim, Causal = true }.Fill(3, masked: false);
        x.Q[(Tokens - 1) * Dim + 3] = float.NaN;
        using var scope = new Scope();
        var run = new Run(x, device);
        kernel.Attention(run.Views);
        float[] o = run.O.ToArray();
        for (int i = 0; i < o.Length; i++) Assert.Equal(i >= (Tokens - 1) * Dim, float.IsNaN(o[i]));
        Assert.True(float.IsNaN(run.Lse.ToArray()[Tokens - 1]));
    }

    [Fact]
    public void TwoRunsAreBitEqual()
    {
        var kernel = Kernel(out var device);
        var x = new AttentionOracle { Batch = 2, Tq = 70, Tk = 300, Heads = 4, KvHeads = 2, Dim = 64, Causal = true }.Fill(4, masked: true);
        using var scope = new Scope();
        Run first = new(x, device), second = new(x, device);
        foreach (var run in new[] { first, second })
        {
            kernel.Attention(run.Views);
            kernel.AttentionGrad(run.Views, run.DO.View, run.DQ.View, run.DK.View, run.DV.View);
        }
        Assert.Equal(first.O.ToArray(), second.O.ToArray());
        Assert.Equal(first.DQ.ToArray(), second.DQ.ToArray());
        Assert.Equal(first.DK.ToArray(), second.DK.ToArray());
        Assert.Equal(first.DV.ToArray(), second.DV.ToArray());
    }

    private static void Check(int batch, int tq, int tk, int heads, int kvHeads, int dim)
    {
        var kernel = Kernel(out var device);
        foreach (bool causal in new[] { false, true })
            foreach (bool masked in new[] { false, true })
                foreach (bool packed in new[] { false, true })
                {
                    if (packed && (masked || tq != tk)) continue;
                    var x = new AttentionOracle { Batch = batch, Tq = tq, Tk = tk, Heads = heads, KvHeads = kvHeads, Dim = dim, Causal = causal }
                        .Fill(tq + tk + dim, masked);
                    using var scope = new Scope();
                    var run = new Run(x, device, packed);
                    kernel.Attention(run.Views);
                    kernel.AttentionGrad(run.Views, run.DO.View, run.DQ.View, run.DK.View, run.DV.View);
                    x.Near(x.Lse, run.Lse.ToArray(), 4e-6, "lse");
                    x.Near(x.O, run.O.ToArray(), 4e-6, "o");
                    x.Near(x.DQ, run.DQ.ToArray(), 3e-5, "dq");
                    x.Near(x.DK, run.DK.ToArray(), 3e-5, "dk");
                    x.Near(x.DV, run.DV.ToArray(), 3e-5, "dv");
                }
    }

    private static IFlashAttention Kernel(out Device device)
    {
        device = TestDevices.Extra ?? Device.Cpu;
        var probe = Tensor.From([0f], device);
        Assert.SkipUnless(probe.Backend is IFlashAttention, $"{device} has no attention kernel.");
        return (IFlashAttention)probe.Backend;
    }

    /// <summary>
    /// A problem on a device. Packed puts q, k and v into one [batch, token, q | k | v] tensor, as a fused projection does; results start as NaN.
    /// </summary>
    private sealed class Run
    {
        public readonly Tensor O, Lse, DO, DQ, DK, DV;
        public readonly AttentionViews Views;

        public Run(AttentionOracle x, Device device, bool packed = false, DType dtype = DType.F32)
        {
            Shape q = [x.Batch, x.Tq, x.Heads, x.Dim], k = [x.Batch, x.Tk, x.KvHeads, x.Dim];
            var (tq, tk, tv) = (Make(x.Q, q), Make(x.K, k), Make(x.V, k));
            (DQ, DK, DV) = (Junk(q), Junk(k), Junk(k));
            if (packed)
            {
                var joined = Tensor.Concat([tq, tk, tv], 2);
                (tq, tk, tv) = Parts(joined, x);
                (DQ, DK, DV) = Parts(Junk(joined.Shape), x);
            }
            (O, Lse, DO) = (Junk(q), Tensor.From(new float[x.Lse.Length], [x.Batch, x.Heads, x.Tq], device), Make(x.DO, q));
            Views = new()
            {
                Q = tq.View, K = tk.View, V = tv.View, O = O.View, Lse = Lse.View, Scale = (float)x.Scale, Causal = x.Causal,
                Mask = x.Mask is null ? null : Tensor.From(x.Mask, [x.Batch, x.Tk], device).To(DType.Bool).View,
            };

            Tensor Make(float[] values, Shape shape) => Tensor.From(values, shape, device).To(dtype);

            Tensor Junk(Shape shape)
            {
                var junk = new float[shape.Count];
                Array.Fill(junk, float.NaN);
                return Make(junk, shape);
            }
        }

        private static (Tensor, Tensor, Tensor) Parts(Tensor joined, AttentionOracle x) =>
            (joined.Narrow(2, 0, x.Heads), joined.Narrow(2, x.Heads, x.KvHeads), joined.Narrow(2, x.Heads + x.KvHeads, x.KvHeads));
    }
}

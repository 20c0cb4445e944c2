using System.Runtime.InteropServices;
using global::Sfn.Backends;
using global::Sfn.Backends.Ilgpu.Cuda;
using global::Sfn.Tests.Gpu.Ptx;

namespace Sfn.Tests.Gpu;

/// <summary>Attention on tensor cores, executed instruction by instruction, against float64.</summary>
public sealed class FlashAttentionTests
{
    // Weights are rounded to bfloat16 for their product: 2^-9 each, and results once more.
    private const double ForwardTolerance = 4e-3, GradientTolerance = 1.5e-2;

    [Theory]
    [InlineData(1, 130, 130, 2, 1, 64)]
    [InlineData(2, 70, 70, 1, 1, 32)]
    [InlineData(1, 33, 200, 2, 2, 96)]
    [InlineData(1, 140, 140, 1, 1, 128)]
    [InlineData(1, 200, 90, 2, 1, 64)]
    [InlineData(2, 17, 67, 2, 1, 128)]
    [InlineData(1, 64, 64, 3, 1, 32)]
    public void EqualsTheFormula(int batch, int tq, int tk, int heads, int kvHeads, int dim)
    {
        foreach (bool causal in new[] { false, true })
        {
            foreach (bool masked in new[] { false, true })
            {
                var x = new AttentionOracle { Batch = batch, Tq = tq, Tk = tk, Heads = heads, KvHeads = kvHeads, Dim = dim, Causal = causal }
                    .Fill(tq + dim, masked, value => (float)(BFloat16)value);
                using var run = new Problem(x, packed: !masked && tq == tk);
                run.Forward();
                run.Backward();
                x.Near(x.Lse, run.Queue.Read(run.Views.Lse), 2e-6, "lse");
                x.Near(x.O, run.Queue.Read(run.Views.O), ForwardTolerance, "o");
                x.Near(x.DQ, run.Queue.Read(run.DQ), GradientTolerance, "dq");
                x.Near(x.DK, run.Queue.Read(run.DK), GradientTolerance, "dk");
                x.Near(x.DV, run.Queue.Read(run.DV), GradientTolerance, "dv");
                Assert.Equal(4, run.Queue.Kernels.Count);
                Assert.Equal(0, run.Queue.BankConflicts);
            }
        }
    }

    [Fact]
    public void NaNReachesItsRowOnly()
    {
        const int Tokens = 50, Dim = 64;
        var x = new AttentionOracle { Batch = 1, Tq = Tokens, Tk = Tokens, Heads = 1, KvHeads = 1, Dim = Dim, Causal = true }
            .Fill(3, masked: false, value => (float)(BFloat16)value);
        x.Q[(Tokens - 1) * Dim + 3] = float.NaN;
        using var run = new Problem(x, packed: false);
        run.Forward();
        float[] o = run.Queue.Read(run.Views.O);
        for (int i = 0; i < o.Length; i++) Assert.Equal(i >= (Tokens - 1) * Dim, float.IsNaN(o[i]));
        Assert.True(float.IsNaN(run.Queue.Read(run.Views.Lse)[Tokens - 1]));
    }

    [Fact]
    public void OtherLayoutsAreLeftToOtherKernels()
    {
        var x = new AttentionOracle { Batch = 1, Tq = 32, Tk = 32, Heads = 1, KvHeads = 1, Dim = 64 }.Fill(1, masked: false);
        using var run = new Problem(x, packed: false);
        Assert.True(CudaAttention.Supports(run.Queue, run.Views));
        Shape shape = run.Views.Q.Shape;
        var unaligned = run.Queue.Make(shape, DType.BF16, [], offset: 1);
        var single = run.Queue.Make(shape, DType.F32, []);
        var wide = run.Queue.Make([1, 32, 1, 80], DType.BF16, []);
        var few = run.Queue.Make([1, 4, 1, 64], DType.BF16, []);
        Assert.False(CudaAttention.Supports(run.Queue, With(unaligned)));
        Assert.False(CudaAttention.Supports(run.Queue, With(single)));
        Assert.False(CudaAttention.Supports(run.Queue, With(wide)));
        Assert.False(CudaAttention.Supports(run.Queue, With(few)));

        AttentionViews With(in View q) => new() { Q = q, K = run.Views.K, V = run.Views.V, O = run.Views.O, Lse = run.Views.Lse, Scale = 1 };
    }

    [Fact]
    public void TheCatalogueHasEveryKernelOnce()
    {
        var names = FlashKernel.All.Select(k => k.Name).ToArray();
        Assert.Equal(names.Length, names.Distinct().Count());
        foreach (var kernel in FlashKernel.All)
        {
            string text = kernel.Build();
            Assert.Contains($".entry {kernel.Name}(", text);
            Assert.True(kernel.SharedBytes <= 99 * 1024, $"{kernel.Name}: {kernel.SharedBytes} bytes of shared memory are more than the smallest device has");
        }
    }

    /// <summary>A problem in memory; packed puts q, k and v side by side, as a fused projection does.</summary>
    private sealed class Problem : IDisposable
    {
        public Problem(AttentionOracle x, bool packed)
        {
            Shape q = [x.Batch, x.Tq, x.Heads, x.Dim], k = [x.Batch, x.Tk, x.KvHeads, x.Dim];
            View vq, vk, vv;
            if (packed)
            {
                int all = x.Heads + 2 * x.KvHeads;
                var joined = new float[x.Batch * x.Tq * all * x.Dim];
                for (int row = 0; row < x.Batch * x.Tq; row++)
                {
                    int at = row * all * x.Dim, wide = x.Heads * x.Dim, narrow = x.KvHeads * x.Dim;
                    x.Q.AsSpan(row * wide, wide).CopyTo(joined.AsSpan(at));
                    x.K.AsSpan(row * narrow, narrow).CopyTo(joined.AsSpan(at + wide));
                    x.V.AsSpan(row * narrow, narrow).CopyTo(joined.AsSpan(at + wide + narrow));
                }
                Shape shape = [x.Batch, x.Tq, all, x.Dim];
                (vq, vk, vv) = Parts(Queue.Make(shape, DType.BF16, Bytes(joined)), x);
                (DQ, DK, DV) = Parts(Queue.Make(shape, DType.BF16, []), x);
            }
            else
            {
                (vq, vk, vv) = (Queue.Make(q, DType.BF16, Bytes(x.Q)), Queue.Make(k, DType.BF16, Bytes(x.K)), Queue.Make(k, DType.BF16, Bytes(x.V)));
                (DQ, DK, DV) = (Queue.Make(q, DType.BF16, []), Queue.Make(k, DType.BF16, []), Queue.Make(k, DType.BF16, []));
            }
            DO = Queue.Make(q, DType.BF16, Bytes(x.DO));
            Views = new()
            {
                Q = vq, K = vk, V = vv, O = Queue.Make(q, DType.BF16, []), Lse = Queue.Make([x.Batch, x.Heads, x.Tq], DType.F32, []), Scale = (float)x.Scale,
                Causal = x.Causal, Mask = x.Mask is null ? null : Queue.Make([x.Batch, x.Tk], DType.Bool, x.Mask),
            };
        }

        public FlashRun Queue { get; } = new();

        public AttentionViews Views { get; }

        public View DO { get; }

        public View DQ { get; }

        public View DK { get; }

        public View DV { get; }

        public void Forward()
        {
            Assert.True(CudaAttention.Supports(Queue, Views));
            CudaAttention.Forward(Queue, Views);
        }

        public void Backward()
        {
            Assert.True(CudaAttention.Supports(Queue, Views, DO, DQ, DK, DV));
            CudaAttention.Backward(Queue, Views, DO, DQ, DK, DV);
        }

        public void Dispose() => Queue.Dispose();

        private static (View, View, View) Parts(in View joined, AttentionOracle x) =>
            (joined.Narrow(2, 0, x.Heads), joined.Narrow(2, x.Heads, x.KvHeads), joined.Narrow(2, x.Heads + x.KvHeads, x.KvHeads));

        private static ReadOnlySpan<byte> Bytes(float[] values) => MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, v => ((BFloat16)v).Bits));
    }
}

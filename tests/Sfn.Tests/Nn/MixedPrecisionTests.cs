using Sfn.Autograd;
using Sfn.Backends;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Tests.Nn;

/// <summary>A transformer in bfloat16 beside the same one in float32.</summary>
public class MixedPrecisionTests
{
    private static readonly Numerics s_brief = new(DType.BF16, MatMulMode.Tf32);

    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 64, Context = 24, Layers = 2, Width = 32, Heads = 4, KvHeads = 2, FeedForward = Ffn.LowRank(8),
    };

    public static TheoryData<FfnKind, ActivationKind, NormKind, PositionKind, bool> Models
    {
        get
        {
            var data = new TheoryData<FfnKind, ActivationKind, NormKind, PositionKind, bool>();
            foreach (var kind in Enum.GetValues<FfnKind>()) data.Add(kind, ActivationKind.Gelu, NormKind.LayerNorm, PositionKind.Rope, true);
            data.Add(FfnKind.Dense, ActivationKind.SwiGlu, NormKind.RmsNorm, PositionKind.Learned, false);
            return data;
        }
    }

    [Theory, MemberData(nameof(Models))]
    public void Loss_and_gradients_are_those_of_float32_within_the_rounding(
        FfnKind kind, ActivationKind activation, NormKind norm, PositionKind positions, bool tied)
    {
        var feedForward = kind switch
        {
            FfnKind.LowRank => Ffn.LowRank(8),
            FfnKind.BlockDense => Ffn.BlockDense(2, 8),
            FfnKind.BlockShuffle => Ffn.BlockShuffle(4),
            _ => Ffn.Dense(),
        };
        var config = s_config with { FeedForward = feedForward, Activation = activation, Norm = norm, Positions = positions, Tied = tied, Bias = tied };
        var device = Ops.OpRun.Devices.First();
        var (wide, narrow) = (new Transformer(config, seed: 3), new Transformer(config with { Numerics = s_brief }, device, seed: 3));
        var (tokens, targets) = (Ids(1, 3, 24), Ids(2, 3, 24));
        double expected = Gradients(wide, tokens, targets), actual = Gradients(narrow, tokens.To(device), targets.To(device));
        Assert.Equal(expected, actual, 0.01 * expected);
        foreach (var (w, n) in wide.Parameters.Zip(narrow.Parameters))
        {
            Assert.Equal(w.Value.ToArray(), n.Value.ToArray());
            Assert.Equal((DType.F32, DType.F32), (n.Value.DType, n.Gradient!.DType));
            // Only matrices are read in bfloat16.
            Assert.Equal(n.Shape.Rank > 1, n.IsShadowed);
            Assert.False(w.IsShadowed);
            float[] a = n.Gradient.ToArray(), b = w.Gradient!.ToArray();
            double gap = Math.Sqrt(a.Zip(b, (x, y) => (double)(x - y) * (x - y)).Sum()), size = Math.Sqrt(b.Sum(y => (double)y * y));
            Assert.True(gap < 0.03 * size, $"{n.Name}: {gap / size:P1}");
        }
    }

    [Fact]
    public void Recomputed_activations_give_the_same_bits()
    {
        float[][] Run(bool recompute)
        {
            var model = new Transformer(s_config with { Numerics = s_brief }, seed: 3) { Recompute = recompute };
            Gradients(model, Ids(1, 3, 24), Ids(2, 3, 24));
            return [.. model.Parameters.Select(p => p.Gradient!.ToArray())];
        }
        Assert.Equal(Run(false), Run(true));
    }

    [Fact]
    public void Activations_take_half_the_memory()
    {
        long Kept(Numerics numerics)
        {
            // The gradient of the logits is as large as the rest.
            var model = new Transformer(s_config with { Numerics = numerics, VocabularySize = 1024 }, seed: 3);
            using var tape = new Tape();
            var report = new TapeReport(tape);
            model.Loss(Ids(1, 4, 24), Ids(2, 4, 24));
            return report.Entries.Sum(e => e.KeptBytes);
        }
        Assert.InRange((double)Kept(s_brief) / Kept(default), 0.5, 0.53);
    }

    [Theory, InlineData(DType.F32), InlineData(DType.BF16)]
    public void The_memory_estimate_counts_the_gradient_of_many_logits(DType compute)
    {
        var config = s_config with { VocabularySize = 4096, Context = 64, Numerics = new(compute) };
        Memory.Reclaim(Device.Cpu);
        long before = Memory.Live(Device.Cpu);
        Memory.ResetPeak(Device.Cpu);
        var model = new Transformer(config, seed: 3);
        var optimizer = new AdamW(model.Parameters);
        for (int step = 0; step < 2; step++)
        {
            Gradients(model, Ids(1, 16, 64), Ids(2, 16, 64));
            optimizer.Step(1e-3f);
        }
        Assert.InRange((double)new ModelCounts(config).TrainingBytes(16) / (Memory.PeakReserved(Device.Cpu) - before), 0.85, 1.15);
    }

    [Fact]
    public void Logits_are_float32_and_the_cache_gives_those_of_the_whole_text()
    {
        var model = new Transformer(s_config with { Numerics = s_brief }, seed: 3);
        var tokens = Ids(5, 1, 20);
        var all = model.Logits(tokens);
        Assert.Equal(DType.F32, all.DType);
        var cache = new KvCache(model);
        var nothing = Tensor.Zeros([1, 0, 2, 8], DType.BF16);
        Assert.All(cache.Layers, layer => Assert.Equal(DType.BF16, layer.Append(nothing, nothing).Keys.DType));
        for (int i = 0; i < 20; i++)
        {
            var next = model.NextLogits(tokens.Narrow(1, i, 1), cache);
            Assert.Equal(DType.F32, next.DType);
            Ops.OpRun.Near(Ops.OpRun.Wide(next), Ops.OpRun.Wide(all[0, i]), 0.02, $"token {i}");
        }
        // Not rounded to bfloat16: most of the logits have more bits.
        Assert.True(all.ToArray().Count(x => (float)(BFloat16)x != x) > all.Count / 2);
    }

    [Fact]
    public async Task Text_is_generated_from_float32_logits()
    {
        var model = new Transformer(s_config with { Numerics = s_brief }, seed: 3);
        var made = new List<int>();
        await foreach (int token in model.GenerateAsync([1, 2, 3], 40, new() { Seed = 4 }, TestContext.Current.CancellationToken)) made.Add(token);
        Assert.Equal(40, made.Count);
        Assert.True(made.Distinct().Count() > 5);
    }

    [Fact]
    public void Tf32_is_float32_where_there_is_none()
    {
        var (plain, tf32) = (new Transformer(s_config, seed: 3), new Transformer(s_config with { Numerics = new(MatMul: MatMulMode.Tf32) }, seed: 3));
        Assert.Equal(Gradients(plain, Ids(1, 3, 24), Ids(2, 3, 24)), Gradients(tf32, Ids(1, 3, 24), Ids(2, 3, 24)));
        foreach (var (a, b) in plain.Parameters.Zip(tf32.Parameters)) Assert.Equal(a.Gradient!.ToArray(), b.Gradient!.ToArray());
    }

    [Fact]
    public void The_mode_reaches_every_product_forward_and_backward()
    {
        foreach (var kind in new[] { Ffn.Dense(), Ffn.LowRank(8), Ffn.BlockDense(2, 8), Ffn.BlockShuffle(4) })
        {
            var model = new Transformer(s_config with { FeedForward = kind, Numerics = new(MatMul: MatMulMode.Tf32) }, SpyBackend.Device, seed: 3);
            SpyBackend.Modes.Clear();
            Gradients(model, Ids(1, 2, 8).To(SpyBackend.Device), Ids(2, 2, 8).To(SpyBackend.Device));
            model.Logits(Ids(1, 2, 8).To(SpyBackend.Device));
            Assert.True(SpyBackend.Modes.Count > 30);
            Assert.All(SpyBackend.Modes, mode => Assert.Equal(MatMulMode.Tf32, mode));
        }
    }

    [Fact]
    public void Other_types_are_refused()
    {
        var error = Assert.Throws<ConfigError>(() => new Transformer(s_config with { Numerics = new(DType.F64) }));
        Assert.Contains("F32 or BF16, not F64", error.Message, StringComparison.Ordinal);
    }

    private static double Gradients(Transformer model, Tensor tokens, Tensor targets)
    {
        using var tape = new Tape();
        var loss = model.Loss(tokens, targets);
        Assert.Equal(DType.F32, loss.DType);
        tape.Backward(loss);
        return loss.Item();
    }

    private static Tensor Ids(ulong seed, int batch, int tokens)
    {
        int[] ids = new int[batch * tokens];
        for (int i = 0; i < ids.Length; i++) ids[i] = (int)(Philox.At(seed, (ulong)i) % 64);
        return Tensor.From(ids, [batch, tokens]);
    }

    /// <summary>The reference loops, which also note what products are asked for.</summary>
    private sealed class SpyBackend(Device device) : Sfn.Backends.Reference.ReferenceBackend(device)
    {
        public static new Device Device { get; } = new("spy", 0, device => new SpyBackend(device));

        public static List<MatMulMode> Modes { get; } = [];

        public override void MatMul(in View a, in View b, in View c, in MatMulSpec spec)
        {
            Modes.Add(spec.Mode);
            base.MatMul(a, b, c, spec);
        }
    }
}

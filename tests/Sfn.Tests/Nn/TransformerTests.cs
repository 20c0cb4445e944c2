using Sfn.Autograd;
using Sfn.Nn;

namespace Sfn.Tests.Nn;

/// <summary>What a model promises its users: threads, masks, generation, dropout, frozen parts.</summary>
public class TransformerTests
{
    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 64, Context = 24, Layers = 2, Width = 32, Heads = 4, KvHeads = 2, FeedForward = Ffn.BlockDense(2, 8),
    };

    private static Tensor Ids(ulong seed, int batch, int tokens, int vocabulary = 64)
    {
        int[] ids = new int[batch * tokens];
        for (int i = 0; i < ids.Length; i++) ids[i] = (int)(Philox.At(seed, (ulong)i) % (uint)vocabulary);
        return Tensor.From(ids, [batch, tokens]);
    }

    [Fact]
    public void EightThreadsGetTheSameAnswers()
    {
        var model = new Transformer(s_config, seed: 3);
        Tensor[] inputs = [.. Enumerable.Range(0, 8).Select(i => Ids((ulong)i, 2, 24))];
        float[][] alone = [.. inputs.Select(x => model.Logits(x).ToArray())];
        float[][] together = new float[8][];
        Exception? failure = null;
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(i => new Thread(() =>
        {
            try
            {
                for (int round = 0; round < 5; round++) together[i] = model.Logits(inputs[i]).ToArray();
            }
            catch (Exception e)
            {
                failure = e;
            }
        }))];
        foreach (var t in threads) t.Start();
        foreach (var t in threads) t.Join();
        Assert.Null(failure);
        Assert.Equal(alone, together);
    }

    [Fact]
    public void GradientsOnTwoThreadsDoNotMix()
    {
        var x = Tensor.Randn([4, 32], 1);
        var w = Tensor.Randn([16, 32], 2);
        float[] alone = Gradient(x, w);
        float[][] both = new float[2][];
        Thread[] threads = [.. Enumerable.Range(0, 2).Select(i => new Thread(() =>
        {
            for (int round = 0; round < 50; round++) both[i] = Gradient(x, w);
        }))];
        foreach (var t in threads) t.Start();
        foreach (var t in threads) t.Join();
        Assert.Equal(alone, both[0]);
        Assert.Equal(alone, both[1]);

        static float[] Gradient(Tensor x, Tensor w)
        {
            using var tape = new Tape();
            var watched = tape.Watch(x);
            tape.Backward(watched.Linear(w).Gelu().Square().Sum());
            return tape.Gradient(watched)!.ToArray();
        }
    }

    [Fact]
    public void PaddingDoesNotChangeTheRealTokens()
    {
        var model = new Transformer(s_config with { Positions = PositionKind.Learned }, seed: 3);
        var tokens = Ids(5, 1, 10);
        float[] alone = model.Logits(tokens).ToArray();
        var padded = Tensor.Concat([tokens, Ids(6, 1, 4)], 1);
        byte[] exists = [.. Enumerable.Range(0, 14).Select(i => i < 10 ? (byte)1 : (byte)0)];
        float[] masked = model.Logits(padded, Tensor.From(exists, [1, 14]).To(DType.Bool)).ToArray();
        GoldenModelTests.Close(alone, masked.AsSpan(0, alone.Length), 1e-5f, "logits");
    }

    [Fact]
    public async Task GenerationIsRepeatableAndGoesBeyondTheContext()
    {
        var model = new Transformer(s_config, seed: 3);
        var sampling = new Sampling { Seed = 11, TopK = 20, TopP = 0.95f, Temperature = 0.8f };
        int[] first = await Generate(), second = await Generate();
        Assert.Equal(60, first.Length);
        Assert.Equal(first, second);
        Assert.All(first, id => Assert.InRange(id, 0, 63));

        async Task<int[]> Generate()
        {
            var ids = new List<int>();
            await foreach (int id in model.GenerateAsync([1, 2, 3], 60, sampling, TestContext.Current.CancellationToken)) ids.Add(id);
            return [.. ids];
        }
    }

    [Fact]
    public async Task GreedyGenerationTakesTheLargestLogit()
    {
        var model = new Transformer(s_config, seed: 3);
        var history = new List<int> { 7, 9 };
        await foreach (int id in model.GenerateAsync([7, 9], 8, new Sampling { Temperature = 0 }, TestContext.Current.CancellationToken))
        {
            float[] logits = model.Logits(Tensor.From(history.ToArray(), [1, history.Count])).ToArray()[^64..];
            Assert.Equal(Array.IndexOf(logits, logits.Max()), id);
            history.Add(id);
        }
    }

    [Fact]
    public async Task GenerationStopsWhenCancelled()
    {
        var model = new Transformer(s_config, seed: 3);
        using var stop = new CancellationTokenSource();
        int made = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (int id in model.GenerateAsync([1], 100, cancellation: stop.Token))
                if (++made == 5) stop.Cancel();
        });
        Assert.Equal(5, made);
    }

    [Fact]
    public void DropoutNeedsATapeAndASeed()
    {
        var model = new Transformer(s_config with { Dropout = 0.5f }, seed: 3);
        var (tokens, targets) = (Ids(1, 2, 8), Ids(2, 2, 8));
        double plain = Loss(), again = Loss();
        model.DropoutSeed = 5;
        double dropped = Loss(), repeated = Loss();
        model.DropoutSeed = 6;
        double other = Loss(), outside = model.Loss(tokens, targets).Item();
        Assert.Equal(plain, again);
        Assert.NotEqual(plain, dropped);
        Assert.Equal(dropped, repeated);
        Assert.NotEqual(dropped, other);
        Assert.Equal(plain, outside, 1e-5);

        double Loss()
        {
            using var tape = new Tape();
            return model.Loss(tokens, targets).Item();
        }
    }

    [Fact]
    public void RecomputeWithDropoutGivesTheSameGradients()
    {
        var model = new Transformer(s_config with { Dropout = 0.3f }, seed: 3) { DropoutSeed = 9 };
        float[][] plain = Gradients();
        model.Recompute = true;
        Assert.Equal(plain, Gradients());

        float[][] Gradients()
        {
            using var tape = new Tape();
            tape.Backward(model.Loss(Ids(1, 2, 8), Ids(2, 2, 8)));
            float[][] all = [.. model.Parameters.Select(p => p.Gradient!.ToArray())];
            foreach (var p in model.Parameters) p.ClearGradient();
            return all;
        }
    }

    [Fact]
    public void FrozenParametersTakeNoGradient()
    {
        var model = new Transformer(s_config with { Tied = false }, seed: 3);
        foreach (var p in model.Blocks[0].Parameters) p.Frozen = true;
        using var tape = new Tape();
        tape.Backward(model.Loss(Ids(1, 2, 8), Ids(2, 2, 8)));
        Assert.All(model.Blocks[0].Parameters, p => Assert.Null(p.Gradient));
        Assert.All(model.Blocks[1].Parameters, p => Assert.NotNull(p.Gradient));
    }

    [Fact]
    public void AllParametersAreListedOnceWithTheCountsOfTheConfiguration()
    {
        foreach (var ffn in new[] { Ffn.Dense(), Ffn.LowRank(8), Ffn.BlockDense(2, 8), Ffn.BlockShuffle(4) })
        {
            foreach (bool bias in new[] { true, false })
            {
                var config = s_config with { FeedForward = ffn, Bias = bias, Activation = bias ? ActivationKind.Gelu : ActivationKind.SwiGlu, Tied = bias };
                var model = new Transformer(config);
                Assert.Equal(model.Parameters.Count, model.Parameters.Select(p => p.Name).Distinct().Count());
                Assert.Equal(new ModelCounts(config).Parameters, model.Parameters.Sum(p => p.Count));
            }
        }
    }

    [Fact]
    public void TooManyTokensAreRefusedByName()
    {
        var model = new Transformer(s_config);
        var error = Assert.Throws<ShapeMismatch>(() => model.Logits(Ids(1, 1, 25)));
        Assert.Contains("25 tokens", error.Message);
        Assert.Contains("24", error.Message);
    }

    [Fact]
    public void A_cache_of_another_batch_is_refused()
    {
        using var scope = Scope.Open();
        var model = new Transformer(new TransformerConfig { VocabularySize = 11, Context = 8, Width = 8, Layers = 1, Heads = 2 });
        var cache = new KvCache(model, 2);
        Assert.Contains("for 2 sequences", Assert.Throws<ShapeMismatch>(() => model.NextLogits(Tensor.From([1, 2], [1, 2]), cache)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(-1));
        Assert.Equal(0, cache.Length);
    }
}

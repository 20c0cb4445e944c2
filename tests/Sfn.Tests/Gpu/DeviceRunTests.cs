using Sfn.Autograd;
using Sfn.Nn;
using Sfn.Tests.Train;
using Sfn.Train;

namespace Sfn.Tests.Gpu;

/// <summary>Whole runs on the device under test, beside the same runs on the CPU.</summary>
public class DeviceRunTests
{
    public static TheoryData<FfnKind> Structures => [.. Enum.GetValues<FfnKind>()];

    [Theory, MemberData(nameof(Structures))]
    public void Training_follows_the_CPU(FfnKind structure)
    {
        float[] expected = Losses(structure, Device.Cpu), found = Losses(structure, TestDevices.Device);
        Assert.True(expected[^1] < 0.9 * expected[0], $"The loss went from {expected[0]} to {expected[^1]}.");
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(found[i] - expected[i]) < 2e-3 * expected[0], $"step {i}: {found[i]} on {TestDevices.Device}, {expected[i]} on the CPU");
    }

    [Fact]
    public void A_run_is_bit_equal_to_a_second_one_and_to_one_that_was_resumed()
    {
        using var folder = new TemporaryFolder();
        var config = TrainerTests.In(folder, TrainerTests.s_tiny) with { Device = TestDevices.Device.Name, Dropout = 0.1f, Steps = 6 };
        string whole = Run(config with { Name = "whole" }).CheckpointSha256;
        Assert.Equal(whole, Run(config with { Name = "again" }).CheckpointSha256);
        using (var first = new Trainer(config with { Name = "parts" }))
        {
            using var stop = new CancellationTokenSource();
            first.Run(stop.Token, new Stopping(stop, 3));
        }
        using var second = Trainer.Resume(Path.Combine(folder["runs"], "parts"));
        Assert.Equal(whole, second.Run(TestContext.Current.CancellationToken).CheckpointSha256);
    }

    [Fact]
    public async Task Generation_takes_the_same_tokens_as_the_CPU()
    {
        var config = new TransformerConfig { VocabularySize = 61, Context = 24, Layers = 2, Width = 32, Heads = 4, KvHeads = 2, FeedForward = Ffn.LowRank(8) };
        List<int> expected = await Tokens(config, Device.Cpu), found = await Tokens(config, TestDevices.Device);
        Assert.Equal(expected, found);
    }

    [Fact]
    public void Steps_need_no_memory_after_the_second()
    {
        var device = TestDevices.Device;
        var (model, optimizer, batch) = Make(FfnKind.BlockShuffle, device);
        long after = 0;
        for (int step = 0; step < 5; step++)
        {
            Step(model, optimizer, batch);
            if (step == 1) after = Memory.Allocations(device);
        }
        Assert.Equal(after, Memory.Allocations(device));
    }

    private static TrainSummary Run(TrainConfig config)
    {
        using var trainer = new Trainer(config);
        return trainer.Run(TestContext.Current.CancellationToken);
    }

    private static float[] Losses(FfnKind structure, Device device)
    {
        var (model, optimizer, batch) = Make(structure, device);
        return [.. Enumerable.Range(0, 12).Select(_ => Step(model, optimizer, batch))];
    }

    private static (Transformer, AdamW, (Tensor Tokens, Tensor Targets)) Make(FfnKind structure, Device device)
    {
        var config = new TransformerConfig
        {
            VocabularySize = 53, Context = 16, Layers = 2, Width = 32, Heads = 4, KvHeads = 2, DenseFirstLayer = false,
            FeedForward = structure switch
            {
                FfnKind.LowRank => Ffn.LowRank(8),
                FfnKind.BlockDense => Ffn.BlockDense(4, 8),
                FfnKind.BlockShuffle => Ffn.BlockShuffle(4),
                _ => Ffn.Dense(),
            },
        };
        var model = new Transformer(config, device, seed: 3);
        int[] ids = [.. Enumerable.Range(0, 4 * 17).Select(i => i * i % 53)];
        int[] tokens = [.. Enumerable.Range(0, 64).Select(i => ids[i / 16 * 17 + i % 16])], targets = [.. Enumerable.Range(0, 64).Select(i => ids[i / 16 * 17 + i % 16 + 1])];
        return (model, new AdamW(model.Parameters), (Tensor.From(tokens, [4, 16], device), Tensor.From(targets, [4, 16], device)));
    }

    private static float Step(Transformer model, AdamW optimizer, (Tensor Tokens, Tensor Targets) batch)
    {
        using var tape = new Tape();
        var loss = model.Loss(batch.Tokens, batch.Targets);
        float value = (float)loss;
        tape.Backward(loss);
        optimizer.ClipNorm(1);
        optimizer.Step(1e-2f);
        return value;
    }

    private static async Task<List<int>> Tokens(TransformerConfig config, Device device)
    {
        var model = new Transformer(config, device, seed: 5);
        var tokens = new List<int>();
        // Longer than the context, so that the cache is filled anew once.
        await foreach (int token in model.GenerateAsync([1, 2, 3], 30, new Sampling { Temperature = 0 }, TestContext.Current.CancellationToken)) tokens.Add(token);
        return tokens;
    }

    private sealed class Stopping(CancellationTokenSource stop, long step) : IProgress<TrainProgress>
    {
        public void Report(TrainProgress value)
        {
            if (value.Step == step) stop.Cancel();
        }
    }
}

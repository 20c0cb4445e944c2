using Sfn.Backends;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Tests.Gpu;

/// <summary>A training step as a graph, on devices that can record one.</summary>
public class CapturedStepTests
{
    [Fact]
    public void Replayed_steps_are_those_of_a_device_that_does_not_record()
    {
        if (TestDevices.Device.Backend is not IGraphCapture) Assert.Skip($"{TestDevices.Device} records no graphs.");
        float[] replayed = Losses(TestDevices.Device, out bool captured, out long allocations);
        Assert.True(captured, "The step was not captured.");
        Assert.Equal(0, allocations);
        float[] expected = Losses(Device.Cpu, out _, out _);
        for (int i = 0; i < expected.Length; i++) Assert.True(Math.Abs(replayed[i] - expected[i]) < 2e-3 * expected[0], $"step {i}: {replayed[i]}, {expected[i]} on the CPU");
    }

    private static float[] Losses(Device device, out bool captured, out long allocations)
    {
        var config = new TransformerConfig { VocabularySize = 53, Context = 16, Layers = 2, Width = 32, Heads = 4, Dropout = 0.1f, FeedForward = Ffn.LowRank(8) };
        var model = new Transformer(config, device, seed: 3);
        var optimizer = new AdamW(model.Parameters);
        using var step = new GraphedStep(model, optimizer, batch: 2, context: 16, accumulate: 2, clip: 1);
        int[] tokens = [.. Enumerable.Range(0, 64).Select(i => i * i % 53)], targets = [.. Enumerable.Range(0, 64).Select(i => (i + 1) * (i + 1) % 53)];
        float[] losses = new float[8];
        long before = 0;
        for (int i = 0; i < losses.Length; i++)
        {
            step.Run(tokens, targets, 1e-2f * (i + 1) / losses.Length, dropoutSeed: (ulong)(7 + i));
            losses[i] = (float)step.Loss;
            if (i == 3) before = Memory.Allocations(device);
        }
        captured = step.IsCaptured;
        allocations = Memory.Allocations(device) - before;
        return losses;
    }
}

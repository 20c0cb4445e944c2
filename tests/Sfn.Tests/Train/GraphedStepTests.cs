using Sfn.Autograd;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Tests.Train;

/// <summary>A step that is recorded and replayed against the same step made with the public calls.</summary>
public class GraphedStepTests
{
    private const int Batch = 2, Context = 8, Accumulate = 2, Ids = Batch * Context;

    private static readonly TransformerConfig s_config = new() { VocabularySize = 19, Context = Context, Width = 16, Layers = 2, Heads = 2, Dropout = 0.2f };

    [Theory, InlineData(0f, DType.F32), InlineData(0.5f, DType.F32), InlineData(0.5f, DType.BF16)]
    public void Replayed_steps_are_those_made_call_by_call(float clip, DType compute)
    {
        var config = s_config with { Numerics = new() { Compute = compute } };
        var backend = ReplayBackend.New(out var device);
        var model = new Transformer(config, device, seed: 3);
        var optimizer = new AdamW(model.Parameters, new() { Decay = DecayGroup.Matrices });
        using var step = new GraphedStep(model, optimizer, Batch, Context, Accumulate, clip);
        var twin = new Transformer(config, seed: 3);
        var plain = new AdamW(twin.Parameters, new() { Decay = DecayGroup.Matrices });
        for (int i = 0; i < 6; i++)
        {
            var (tokens, targets) = Text(i);
            float rate = 0.01f * (i + 1);
            ulong seed = 0x1_0000_0000UL * (ulong)i + 0xFFFF_FFFF;
            int downloads = backend.Downloads, uploads = backend.Uploads, calls = backend.Calls;
            step.Run(tokens, targets, rate, seed);
            Assert.Equal(downloads, backend.Downloads);
            Assert.Equal(i >= 2, step.IsCaptured);
            Assert.Equal(Math.Max(0, i - 1), backend.Replays);
            // Batch and settings; nothing else is left for the host to do.
            if (i > 2) Assert.Equal((uploads + 2, calls), (backend.Uploads, backend.Calls));

            float loss = 0;
            for (int part = 0; part < Accumulate; part++)
            {
                twin.DropoutSeed = seed + (ulong)part;
                using var tape = new Tape();
                var mean = twin.Loss(Tensor.From(tokens[(part * Ids)..][..Ids], [Batch, Context]), Tensor.From(targets[(part * Ids)..][..Ids], [Batch, Context]));
                loss += (float)mean.Item() * (1f / Accumulate);
                tape.Backward(mean, Tensor.Full([], 1.0 / Accumulate));
            }
            double norm = plain.ClipNorm(clip).Item();
            plain.Step(rate);
            Assert.Equal((loss, norm), ((float)step.Loss.Item(), step.Norm.Item()));
            foreach (var (a, b) in model.Parameters.Zip(twin.Parameters)) Assert.Equal(b.Value.ToArray(), a.Value.ToArray());
        }
        Assert.Null(step.CaptureProblem);
        foreach (var (a, b) in optimizer.State.Zip(plain.State)) Assert.Equal(Bytes(b.Value), Bytes(a.Value));
        // What the layers read has followed: an evaluation sees the new weights.
        var (last, next) = Text(9);
        Assert.Equal(twin.Loss(Tensor.From(last[..Ids], [Batch, Context]), Tensor.From(next[..Ids], [Batch, Context])).Item(),
            model.Loss(Tensor.From(last[..Ids], [Batch, Context], device), Tensor.From(next[..Ids], [Batch, Context], device)).Item());
    }

    [Fact]
    public void Memory_of_the_recording_is_its_own_until_it_is_dropped()
    {
        var backend = ReplayBackend.New(out var device);
        var model = new Transformer(s_config, device, seed: 3);
        using var step = new GraphedStep(model, new AdamW(model.Parameters), Batch, Context, Accumulate);
        var (tokens, targets) = Text(1);
        var seen = new List<(long, long)>();
        for (int i = 0; i < 8; i++)
        {
            step.Run(tokens, targets, 0.01f, 1);
            // Other work between the steps must not get the recording's blocks: it fills what it gets.
            using var scope = Scope.Open();
            for (int size = 64; size < 100_000; size *= 2) _ = Tensor.Full([size], double.NaN, DType.F32, device);
            Assert.True(double.IsFinite(step.Loss.Item()));
            if (i > 3) seen.Add((Memory.Live(device), Memory.Allocations(device)));
        }
        Assert.Single(seen.Distinct());
        Assert.True(step.IsCaptured);
        long live = Memory.Live(device);
        step.Dispose();
        Assert.True(Memory.Live(device) < live);
        step.Run(tokens, targets, 0.01f, 1);
        Assert.True(double.IsFinite(step.Loss.Item()));
        Assert.False(step.IsCaptured);
        Assert.True(backend.Replays > 0);
    }

    [Fact]
    public void A_device_that_cannot_capture_this_work_goes_on_call_by_call()
    {
        var backend = ReplayBackend.New(out var device);
        backend.Refuses = true;
        var model = new Transformer(s_config, device, seed: 3);
        var optimizer = new AdamW(model.Parameters);
        using var step = new GraphedStep(model, optimizer, Batch, Context, Accumulate);
        for (int i = 0; i < 4; i++)
        {
            var (tokens, targets) = Text(i);
            step.Run(tokens, targets, 0.01f, 1);
        }
        Assert.False(step.IsCaptured);
        Assert.Contains("download", step.CaptureProblem, StringComparison.Ordinal);
        Assert.All(optimizer.StepsInOrder(), steps => Assert.Equal(4, steps));
    }

    [Theory, InlineData(0), InlineData(4)]
    public void A_bad_id_is_reported_where_the_host_waits(int bad)
    {
        ReplayBackend.New(out var device);
        var model = new Transformer(s_config, device, seed: 3);
        using var step = new GraphedStep(model, new AdamW(model.Parameters), Batch, Context, Accumulate);
        for (int i = 0; i <= bad; i++)
        {
            var (tokens, targets) = Text(i);
            if (i == bad) tokens[3] = 19;
            step.Run(tokens, targets, 0.01f, 1);
        }
        Assert.Equal(bad > 2, step.IsCaptured);
        string message = Assert.Throws<ShapeMismatch>(() => step.Loss.Item()).Message;
        Assert.Contains("index 19 is outside 0..18", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Host_memory_is_checked_at_once()
    {
        var model = new Transformer(s_config, seed: 3);
        using var step = new GraphedStep(model, new AdamW(model.Parameters), Batch, Context, Accumulate);
        var (tokens, targets) = Text(0);
        targets[5] = 19;
        string message = Assert.Throws<ShapeMismatch>(() => step.Run(tokens, targets, 0.01f)).Message;
        Assert.Contains("target 19 is outside the 19 classes", message, StringComparison.Ordinal);
        Assert.All(model.Parameters, p => Assert.Null(p.Gradient));
        targets[5] = -100;
        step.Run(tokens, targets, 0.01f);
        Assert.True(double.IsFinite(step.Loss.Item()));
        Assert.Contains("32 tokens", Assert.Throws<ShapeMismatch>(() => step.Run(tokens[1..], targets, 0.01f)).Message, StringComparison.Ordinal);
    }

    private static byte[] Bytes(Tensor x) => x.DType == DType.I32
        ? [.. x.ToArray<int>().SelectMany(BitConverter.GetBytes)]
        : [.. x.ToArray().SelectMany(BitConverter.GetBytes)];

    private static (int[] Tokens, int[] Targets) Text(int seed)
    {
        var random = new Random(seed);
        int[] tokens = [.. Enumerable.Range(0, Accumulate * Ids).Select(_ => random.Next(19))];
        int[] targets = [.. tokens.Select(t => (t + 1) % 19)];
        // Not every target counts, and not as many in each part.
        targets[seed % Ids] = targets[(3 * seed + 1) % Ids] = -100;
        return (tokens, targets);
    }
}

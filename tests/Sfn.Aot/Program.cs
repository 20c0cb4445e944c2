using System.Diagnostics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Sfn;
using Sfn.Autograd;
using Sfn.Backends.Cpu;
using Sfn.Nn;
using Sfn.Train;

// Trains a small model in a natively compiled program: the loss must fall and text must come out. "speed" prints figures instead.
Console.Error.WriteLine($"fused multiply-add: {(Fma.IsSupported ? "yes" : "no")}, "
    + $"vectors: {(Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128)} bits, threads: {CpuPool.Threads}");

double nanoseconds = ExpPerElement();
Console.Error.WriteLine($"exp: {nanoseconds:F2} ns per element");
if (args is ["speed"])
{
    // Native code has no tiers to warm up; run the same command under the JIT to compare.
    var medium = new TransformerConfig { VocabularySize = 256, Context = 128, Layers = 4, Width = 192, Heads = 6, FeedForward = Ffn.LowRank(48) };
    Train(medium, steps: 30, out double tokensPerSecond);
    Console.WriteLine(FormattableString.Invariant($"{tokensPerSecond:F0} tokens/s"));
    return 0;
}

double[] losses = Train(new TransformerConfig { VocabularySize = 256, Context = 32, Layers = 2, Width = 32, Heads = 2, FeedForward = Ffn.LowRank(8) }, 20, out _);
Console.WriteLine(FormattableString.Invariant($"loss {losses[0]:F2} -> {losses[^1]:F2}"));
bool good = losses[^1] < losses[0] - 1 && nanoseconds < 20;
Console.WriteLine(good ? "ok" : "failed");
return good ? 0 : 1;

static double[] Train(TransformerConfig config, int steps, out double tokensPerSecond)
{
    const int Batch = 4;
    var model = new Transformer(config, seed: 1);
    var optimizer = new AdamW(model.Parameters, new AdamWOptions());
    byte[] text = System.Text.Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("the quick brown fox jumps over the lazy dog. ", 50)));
    int[] tokens = [.. text.Take(Batch * config.Context).Select(b => (int)b)], targets = [.. text.Skip(1).Take(Batch * config.Context).Select(b => (int)b)];
    double[] losses = new double[steps];
    var times = new List<double>();
    for (int step = 0; step < steps; step++)
    {
        long began = Stopwatch.GetTimestamp();
        using var tape = new Tape();
        var loss = model.Loss(Tensor.From(tokens, [Batch, config.Context]), Tensor.From(targets, [Batch, config.Context]));
        tape.Backward(loss);
        losses[step] = loss.Item();
        optimizer.ClipNorm(1);
        optimizer.Step(Schedule.Cosine(step, 1e-2f, 3, steps, 1e-3f));
        times.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
    }
    times.Sort();
    tokensPerSecond = Batch * config.Context / times[times.Count / 2];
    return losses;
}

static double ExpPerElement()
{
    const int Count = 16384, Rounds = 50;
    var x = Tensor.Randn([Count], 1);
    double best = double.PositiveInfinity;
    for (int round = 0; round < Rounds; round++)
    {
        using var scope = Scope.Open();
        long began = Stopwatch.GetTimestamp();
        x.Exp();
        best = Math.Min(best, Stopwatch.GetElapsedTime(began).TotalNanoseconds / Count);
    }
    return best;
}

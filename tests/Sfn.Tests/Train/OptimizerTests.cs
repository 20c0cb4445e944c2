using Sfn.Autograd;
using Sfn.Tests.Nn;
using Sfn.Train;

namespace Sfn.Tests.Train;

public class OptimizerTests
{
    private static readonly Shape[] s_shapes = [[3, 5], [7], [2, 3, 4], [1], [33, 16]];

    public static TheoryData<string, DecayGroup> Cases
    {
        get
        {
            var data = new TheoryData<string, DecayGroup>();
            foreach (string device in new[] { "cpu", "reference" })
                foreach (var decay in Enum.GetValues<DecayGroup>()) data.Add(device, decay);
            return data;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void AdamW_is_the_textbook_loop(string device, DecayGroup decay)
    {
        var parameters = Parameters(Device.Get(device));
        double[][] p = [.. parameters.Select(x => Doubles(x.Value))], m = [.. p.Select(x => new double[x.Length])],
            v = [.. p.Select(x => new double[x.Length])];
        var optimizer = new AdamW(parameters, new() { Beta1 = 0.8, Beta2 = 0.95, WeightDecay = 0.3, Epsilon = 1e-6, Decay = decay });
        for (int step = 1; step <= 5; step++)
        {
            SetGradients(parameters, step);
            double norm = Math.Sqrt(parameters.Sum(x => Doubles(x.Gradient!).Sum(g => g * g))), max = step % 2 == 0 ? 0.5 : 0, lr = 0.01 * step;
            double scale = max > 0 ? Math.Min(1, max / (norm + 1e-6)) : 1;
            for (int i = 0; i < p.Length; i++)
            {
                double[] g = Doubles(parameters[i].Gradient!);
                double wd = decay == DecayGroup.All || parameters[i].Shape.Rank > 1 ? 0.3 : 0;
                for (int k = 0; k < g.Length; k++)
                {
                    double d = g[k] * scale;
                    p[i][k] *= 1 - lr * wd;
                    m[i][k] = 0.8 * m[i][k] + 0.2 * d;
                    v[i][k] = 0.95 * v[i][k] + 0.05 * d * d;
                    p[i][k] -= lr * (m[i][k] / (1 - Math.Pow(0.8, step))) / (Math.Sqrt(v[i][k] / (1 - Math.Pow(0.95, step))) + 1e-6);
                }
            }
            Assert.Equal(norm, optimizer.ClipNorm((float)max).Item(), norm * 1e-5);
            optimizer.Step((float)lr);
            for (int i = 0; i < p.Length; i++) Close(p[i], parameters[i].Value, 2e-6);
            Assert.All(parameters, x => Assert.Null(x.Gradient));
        }
        Assert.Equal([5, 5, 5, 5, 5], optimizer.State[^1].Value.ToArray<int>());
    }

    [Theory, InlineData("cpu"), InlineData("reference")]
    public void Sgd_is_the_textbook_loop(string device)
    {
        var parameters = Parameters(Device.Get(device));
        double[][] p = [.. parameters.Select(x => Doubles(x.Value))], m = [.. p.Select(x => new double[x.Length])];
        var optimizer = new Sgd(parameters, new() { Momentum = 0.9, WeightDecay = 0.1, Decay = DecayGroup.Matrices });
        for (int step = 1; step <= 4; step++)
        {
            SetGradients(parameters, step);
            for (int i = 0; i < p.Length; i++)
            {
                double[] g = Doubles(parameters[i].Gradient!);
                for (int k = 0; k < g.Length; k++)
                {
                    m[i][k] = 0.9 * m[i][k] + g[k] + (parameters[i].Shape.Rank > 1 ? 0.1 * p[i][k] : 0);
                    p[i][k] -= 0.05 * m[i][k];
                }
            }
            optimizer.Step(0.05f);
            for (int i = 0; i < p.Length; i++) Close(p[i], parameters[i].Value, 2e-6);
        }
    }

    [Theory, MemberData(nameof(GoldenModelTests.Models), MemberType = typeof(GoldenModelTests))]
    public void Three_steps_match_PyTorch(string name)
    {
        using var golden = GoldenModel.Open(name);
        var optimizer = new AdamW(golden.Model.Parameters);
        for (int step = 1; step <= 3; step++)
        {
            using (var tape = new Tape())
            {
                var loss = golden.Model.Loss(golden.Tokens, golden.Targets);
                GoldenModelTests.Close(golden["loss"].AsSpan(step - 1, 1), [(float)loss], 1e-5f, $"loss before step {step}");
                tape.Backward(loss);
            }
            double norm = optimizer.ClipNorm(1).Item();
            GoldenModelTests.Close(golden["grad_norm"].AsSpan(step - 1, 1), [(float)norm], 1e-5f, $"norm in step {step}");
            optimizer.Step(1e-2f);
            if (step == 2) continue;
            foreach (var p in golden.Model.Parameters)
                GoldenModelTests.Close(golden[$"p{step}/{p.Name}"], p.Value.ToArray(), step == 1 ? 2e-6f : 3e-5f, $"{p.Name} after step {step}");
        }
    }

    [Fact]
    public void Parameters_without_gradient_and_frozen_ones_stay_and_count_their_own_steps()
    {
        var parameters = Parameters(Device.Cpu);
        var optimizer = new AdamW(parameters);
        parameters[2].Frozen = true;
        for (int step = 1; step <= 3; step++)
        {
            SetGradients(parameters, step);
            if (step == 1) parameters[0].ClearGradient();
            float[][] before = [.. parameters.Select(p => p.Value.ToArray())];
            optimizer.ClipNorm(1);
            optimizer.Step(0.1f);
            for (int i = 0; i < parameters.Length; i++) Assert.Equal(i == 2 || (i == 0 && step == 1), before[i].SequenceEqual(parameters[i].Value.ToArray()));
        }
        Assert.Equal([2, 3, 0, 3, 3], optimizer.State[^1].Value.ToArray<int>());
        // A parameter that joined late has the bias correction of its own first step: one that always took part differs only by what it did before.
        Assert.All(optimizer.State, s => Assert.StartsWith("adamw.", s.Name, StringComparison.Ordinal));
        optimizer.ClearGradients();
        Assert.Contains("Backward", Assert.Throws<InvalidOperationException>(() => optimizer.Step(0.1f)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Flat_storage_is_aligned_padded_with_zeros_and_grouped()
    {
        var parameters = Parameters(Device.Cpu);
        float[][] before = [.. parameters.Select(p => p.Value.ToArray())];
        SetGradients(parameters, 1);
        float[][] gradients = [.. parameters.Select(p => p.Gradient!.ToArray())];
        var flat = new FlatParameters(parameters, DecayGroup.Matrices);
        int at = 0;
        bool decays = true;
        foreach (var segment in flat.Segments)
        {
            Assert.Equal(at, segment.Offset);
            Assert.Equal(0, segment.Offset % 16);
            Assert.True(decays || !segment.Decays);
            decays = segment.Decays;
            at += segment.Padded;
            int i = Array.IndexOf(parameters, segment.Parameter);
            Assert.Equal(before[i], segment.Parameter.Value.ToArray());
            Assert.Equal(gradients[i], segment.Parameter.Gradient!.ToArray());
            float[] padding = flat.Values.ToArray()[(segment.Offset + before[i].Length)..at];
            Assert.All(padding, x => Assert.Equal(0, x));
        }
        Assert.Equal(flat.Count, at);
        double norm = Math.Sqrt(gradients.Sum(g => g.Sum(x => (double)x * x)));
        var sum = Tensor.Empty([], DType.F32, Device.Cpu);
        flat.SumSquares(sum);
        Assert.Equal(norm, Math.Sqrt(sum.Item()), norm * 1e-6);
    }

    [Fact]
    public void Impossible_optimizers_say_why()
    {
        var p = new Parameter("p", Tensor.Ones([2]));
        Assert.Throws<ArgumentException>(() => new AdamW([]));
        Assert.Contains("twice", Assert.Throws<ArgumentException>(() => new AdamW([p, p])).Message, StringComparison.Ordinal);
        Assert.Contains("float32", Assert.Throws<DTypeMismatch>(() => new AdamW([new Parameter("q", Tensor.Ones([2], DType.F64))])).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new AdamW([p], new() { Beta1 = 1 }));
    }

    private static Parameter[] Parameters(Device device) =>
        [.. s_shapes.Select((shape, i) => new Parameter($"p{i}", Tensor.Randn(shape, (ulong)i, device: device)))];

    private static void SetGradients(Parameter[] parameters, int step)
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            if (parameters[i].Frozen) continue;
            parameters[i].AddGradient(Tensor.Randn(parameters[i].Shape, (ulong)(100 * step + i), device: parameters[i].Value.Device));
        }
    }

    private static double[] Doubles(Tensor x) => [.. x.ToArray().Select(value => (double)value)];

    private static void Close(double[] expected, Tensor actual, double tolerance)
    {
        float[] values = actual.ToArray();
        for (int i = 0; i < values.Length; i++) Assert.Equal(expected[i], values[i], tolerance * Math.Max(1, Math.Abs(expected[i])));
    }
}

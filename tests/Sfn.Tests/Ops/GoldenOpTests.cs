using System.Text.Json;
using Sfn.Autograd;

namespace Sfn.Tests.Ops;

/// <summary>Ops and linear parametrizations against numbers of another implementation, forward and gradient.</summary>
public class GoldenOpTests : LeakCheck
{
    public static TheoryData<string> Ops => [.. GoldenFile.Names("op-")];

    public static TheoryData<string> Layers => [.. GoldenFile.Names("layer-")];

    [Theory, MemberData(nameof(Ops))]
    public void Op(string name)
    {
        using var file = new GoldenFile(name);
        var cases = file.Config.GetProperty("cases");
        Assert.True(cases.GetArrayLength() > 0);
        for (int i = 0; i < cases.GetArrayLength(); i++)
        {
            using var tape = new Tape();
            string prefix = $"case{i}/";
            var watched = new Dictionary<string, Tensor>();
            Tensor In(string input) => watched[input] = tape.Watch(file[prefix + input]);
            var y = Run(file.Config.GetProperty("op").GetString()!, cases[i], In, n => file.Has(prefix + n) ? file[prefix + n] : null);
            // The README's limits: five times what another float32 implementation reaches.
            double tolerance = (name, i) switch { ("op-layernorm", 3) => 1.5e-4, ("op-cross-entropy", 2) => 5e-5, _ => 5e-6 };
            Near(y, file[prefix + "y"], tolerance, $"{name} case {i} y");
            tape.Backward(y, file[prefix + "g"]);
            foreach (var (input, x) in watched) Near(tape.Gradient(x)!, file[$"{prefix}d{input}"], tolerance, $"{name} case {i} d{input}");
        }
    }

    [Theory, MemberData(nameof(Layers))]
    public void Layer(string name)
    {
        using var file = new GoldenFile(name);
        using var tape = new Tape();
        var watched = new Dictionary<string, Tensor>();
        Tensor In(string weight) => watched["d." + weight] = tape.Watch(file[weight]);
        var x = watched["dx"] = tape.Watch(file["x"]);
        var y = file.Config.GetProperty("structure").GetString() switch
        {
            "dense" => x.Linear(In("weight")),
            "lowrank" => x.Linear(In("lr1")).Linear(In("lr2")),
            "blockdense" => x.BlockLinear(In("blkdiag")).Linear(In("lr")),
            _ => x.ShuffleLinear(In("blkdiag1"), In("blkdiag2")),
        };
        Near(y, file["y"], 2e-5, name + " y");
        Near(x.Detach().Linear(file["merged"]), file["y"], 2e-5, name + " merged");
        tape.Backward(y, file["g"]);
        foreach (var (gradient, input) in watched) Near(tape.Gradient(input)!, file[gradient], 2e-5, $"{name} {gradient}");
    }

    private static Tensor Run(string op, JsonElement options, Func<string, Tensor> input, Func<string, Tensor?> constant)
    {
        switch (op)
        {
            case "softmax": return input("x").Softmax();
            case "log-softmax": return input("x").LogSoftmax();
            case "gelu-tanh": return input("x").Gelu();
            case "gelu-erf": return input("x").GeluErf();
            case "silu": return input("x").Silu();
            case "erf": return input("x").Erf();
            case "swiglu":
                var both = input("x");
                int half = both.Shape[^1] / 2;
                return both.Narrow(-1, 0, half).SwiGlu(both.Narrow(-1, half, half));
            case "layernorm": return input("x").LayerNorm(input("weight"), constant("bias") is null ? null : input("bias"), options.GetProperty("eps").GetSingle());
            case "rmsnorm": return input("x").RmsNorm(input("weight"), options.GetProperty("eps").GetSingle());
            case "cross-entropy": return input("x").CrossEntropy(constant("targets")!, options.GetProperty("ignore_index").GetInt32());
            case "attention":
                // The files have heads before tokens.
                return Tensor.Attention(input("q").Transpose(1, 2), input("k").Transpose(1, 2), input("v").Transpose(1, 2), mask: constant("mask")).Transpose(1, 2);
            case "rope":
                var x = input("x");
                int offset = options.GetProperty("offset").GetInt32(), tokens = x.Shape[^2], dim = x.Shape[^1];
                var (cos, sin) = Tensor.RopeTables(offset + tokens, dim, options.GetProperty("base").GetDouble());
                return x.Reshape(-1, 1, tokens, dim).Transpose(1, 2).Rope(cos, sin, offset).Transpose(1, 2).Reshape(x.Shape);
            default: throw new InvalidOperationException($"No test for golden op {op}.");
        }
    }

    private static void Near(Tensor actual, Tensor expected, double tolerance, string what)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        double[] a = OpRun.Wide(actual), e = OpRun.Wide(expected);
        for (int i = 0; i < a.Length; i++)
            if (!(Math.Abs(a[i] - e[i]) <= tolerance * Math.Max(1, Math.Abs(e[i])))) Assert.Fail($"{what}: element {i} is {a[i]:R}, should be {e[i]:R}");
    }
}

using System.Runtime.InteropServices;
using System.Text.Json;
using Sfn.Autograd;
using Sfn.IO;
using Sfn.Nn;

namespace Sfn.Tests.Nn;

/// <summary>Whole models against numbers made with PyTorch (tests/golden): loss, logits, every gradient.</summary>
public class GoldenModelTests
{
    public static TheoryData<string> Models => ["dense", "lowrank", "blockdense", "blockshuffle", "gqa", "swiglu"];

    [Theory, MemberData(nameof(Models))]
    public void LossLogitsAndGradients(string name)
    {
        using var golden = GoldenModel.Open(name);
        var model = golden.Model;
        using (var tape = new Tape())
        {
            var loss = model.Loss(golden.Tokens, golden.Targets);
            Close(golden["loss"].AsSpan(0, 1), [(float)loss], 4e-6f, "loss");
            tape.Backward(loss);
        }
        Close(golden["logits"], model.Logits(golden.Tokens).ToArray(), 3e-5f, "logits");
        foreach (var p in model.Parameters) Close(golden[$"grad/{p.Name}"], p.Gradient!.ToArray(), 1e-5f, p.Name);
    }

    [Theory, MemberData(nameof(Models))]
    public void RecomputedGradientsAreTheSame(string name)
    {
        using var golden = GoldenModel.Open(name);
        var model = golden.Model;
        float[][] plain = Gradients(model, golden);
        model.Recompute = true;
        float[][] again = Gradients(model, golden);
        Assert.Equal(plain, again);
    }

    [Theory, MemberData(nameof(Models))]
    public void CachedDecodingGivesTheLogitsOfTheWholeSequence(string name)
    {
        using var golden = GoldenModel.Open(name);
        var model = golden.Model;
        int time = golden.Tokens.Shape[1], vocabulary = model.Config.VocabularySize;
        float[] all = model.Logits(golden.Tokens).ToArray();
        var cache = new KvCache(model, 2);
        for (int t = 0; t < time;)
        {
            int n = t == 0 ? 3 : 1;
            float[] part = model.Logits(golden.Tokens.Narrow(1, t, n), cache: cache).ToArray();
            for (int b = 0; b < 2; b++)
                Close(all.AsSpan((b * time + t) * vocabulary, n * vocabulary), part.AsSpan(b * n * vocabulary, n * vocabulary), 2e-5f, $"position {t}");
            t += n;
        }
    }

    private static float[][] Gradients(Transformer model, GoldenModel golden)
    {
        foreach (var p in model.Parameters) p.ClearGradient();
        using var tape = new Tape();
        tape.Backward(model.Loss(golden.Tokens, golden.Targets));
        return [.. model.Parameters.Select(p => p.Gradient!.ToArray())];
    }

    internal static void Close(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, float tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(MathF.Abs(expected[i] - actual[i]) <= tolerance * MathF.Max(1, MathF.Abs(expected[i])), $"{what}[{i}]: expected {expected[i]:R}, got {actual[i]:R}");
    }
}

/// <summary>A golden file and the model it describes, with its initial parameters.</summary>
internal sealed class GoldenModel : IDisposable
{
    private readonly SafetensorsFile _file;

    private GoldenModel(SafetensorsFile file, Transformer model)
    {
        _file = file;
        Model = model;
        Tokens = Ids("tokens");
        Targets = Ids("targets");
    }

    public Transformer Model { get; }
    public Tensor Tokens { get; }
    public Tensor Targets { get; }

    public float[] this[string name] => MemoryMarshal.Cast<byte, float>(_file.Bytes(name)).ToArray();

    public static GoldenModel Open(string name)
    {
        var file = SafetensorsFile.Open(Path.Combine(AppContext.BaseDirectory, "golden", $"model-{name}.safetensors"));
        var c = JsonDocument.Parse(file.Metadata["config"]).RootElement;
        int Int(string key) => c.GetProperty(key).ValueKind == JsonValueKind.Null ? 0 : c.GetProperty(key).GetInt32();
        var config = new TransformerConfig
        {
            VocabularySize = Int("vocab"), Context = Int("context"), Layers = Int("layers"), Width = Int("hidden"),
            AttentionWidth = Int("head_dim") * Int("q_heads"), Heads = Int("q_heads"), KvHeads = Int("kv_heads"), FfnWidth = Int("ffn"),
            FeedForward = c.GetProperty("structure").GetString() switch
            {
                "lowrank" => Ffn.LowRank(Int("rank")),
                "blockdense" => Ffn.BlockDense(Int("blocks"), Int("rank")),
                "blockshuffle" => Ffn.BlockShuffle(Int("blocks")),
                _ => Ffn.Dense(),
            },
            Norm = c.GetProperty("norm").GetString() == "rmsnorm" ? NormKind.RmsNorm : NormKind.LayerNorm,
            Activation = c.GetProperty("activation").GetString() == "swiglu" ? ActivationKind.SwiGlu : ActivationKind.Gelu,
            Positions = c.GetProperty("positions").GetString() == "learned" ? PositionKind.Learned : PositionKind.Rope,
            Bias = c.GetProperty("bias").GetBoolean(),
            Tied = c.GetProperty("tied").GetBoolean(),
        };
        var golden = new GoldenModel(file, new Transformer(config, Gpu.TestDevices.Device));
        golden.Load("p0");
        return golden;
    }

    public void Load(string prefix)
    {
        Assert.Equal(_file.Names.Count(n => n.StartsWith(prefix + "/", StringComparison.Ordinal)), Model.Parameters.Count);
        foreach (var p in Model.Parameters) p.Set(Tensor.From(this[$"{prefix}/{p.Name}"], p.Shape, Model.Device));
    }

    public void Dispose() => _file.Dispose();

    private Tensor Ids(string name)
    {
        var entry = _file[name];
        int[] ids = [.. MemoryMarshal.Cast<byte, long>(_file.Bytes(name)).ToArray().Select(i => (int)i)];
        return Tensor.From(ids, Shape.Create([.. entry.Shape.Select(d => (int)d)]), Model.Device);
    }
}

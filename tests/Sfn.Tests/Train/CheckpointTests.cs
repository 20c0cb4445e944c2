using CsCheck;
using Sfn.Autograd;
using Sfn.IO;
using Sfn.Train;

namespace Sfn.Tests.Train;

public class CheckpointTests
{
    private static readonly CheckpointState s_state = new(7, 700, 3, "config", "data", 1.25, 1.125, 5);

    [Fact]
    public void What_is_saved_comes_back()
    {
        using var folder = new TemporaryFolder();
        string file = folder["c.safetensors"];
        var (parameters, optimizer) = Trained(seed: 1);
        Checkpoint.Save(file, parameters, optimizer, s_state);
        byte[] bytes = File.ReadAllBytes(file);
        var (others, fresh) = Trained(seed: 2);
        Assert.Equal(s_state, Checkpoint.Load(file, others, fresh, "config"));
        for (int i = 0; i < parameters.Length; i++) Assert.Equal(parameters[i].Value.ToArray(), others[i].Value.ToArray());
        foreach (var ((name, value), (_, other)) in optimizer.State.Zip(fresh.State))
            Assert.Equal(value.To(DType.F32).ToArray(), other.To(DType.F32).ToArray());
        Checkpoint.Save(folder["d.safetensors"], others, fresh, s_state);
        Assert.Equal(bytes, File.ReadAllBytes(folder["d.safetensors"]));
        // The old file stays under its second name when there is one.
        Checkpoint.Save(file, parameters, optimizer, s_state with { Step = 8 }, folder["previous"]);
        Assert.Equal(bytes, File.ReadAllBytes(folder["previous"]));
        Assert.Equal(8, Checkpoint.ReadState(file).Step);
        Checkpoint.Save(file, parameters, optimizer, s_state with { Step = 9 }, folder["previous"]);
        Assert.Equal((8, 9), (Checkpoint.ReadState(folder["previous"]).Step, Checkpoint.ReadState(file).Step));
    }

    [Fact]
    public void Weights_alone_load_without_an_optimizer_only()
    {
        using var folder = new TemporaryFolder();
        string file = folder["best.safetensors"];
        var (parameters, _) = Trained(seed: 1);
        Checkpoint.Save(file, parameters, null, s_state);
        var (others, fresh) = Trained(seed: 2);
        Assert.Equal(s_state, Checkpoint.Load(file, others));
        Assert.Equal(parameters[1].Value.ToArray(), others[1].Value.ToArray());
        Assert.Contains("adamw", Refused(file, others, fresh), StringComparison.Ordinal);
        // A full checkpoint gives its weights too.
        var (full, optimizer) = Trained(seed: 3);
        Checkpoint.Save(file, full, optimizer, s_state);
        Checkpoint.Load(file, others);
        Assert.Equal(full[0].Value.ToArray(), others[0].Value.ToArray());
    }

    [Fact]
    public void Files_of_other_models_runs_and_programs_are_refused()
    {
        using var folder = new TemporaryFolder();
        string file = folder["c.safetensors"];
        var (parameters, optimizer) = Trained(seed: 1);
        Assert.Contains("no such file", Refused(file, parameters, optimizer), StringComparison.Ordinal);
        Checkpoint.Save(file, parameters, optimizer, s_state);
        Assert.Contains("settings", Refused(file, parameters, optimizer, "another"), StringComparison.Ordinal);
        Assert.Contains("no tensor", Refused(file, [.. parameters, new Parameter("more", Tensor.Ones([2]))], null), StringComparison.Ordinal);
        Assert.Contains("does not have", Refused(file, parameters[..1], null), StringComparison.Ordinal);
        Assert.Contains("[3, 5]", Refused(file, [new Parameter("a", Tensor.Ones([5, 3])), parameters[1]], null), StringComparison.Ordinal);
        var foreign = new SafetensorsWriter();
        foreign.Add("parameters/a", "F32", [1], new byte[4]);
        foreign.Save(file);
        Assert.Contains("not a checkpoint", Refused(file, parameters, null), StringComparison.Ordinal);
        foreign.SetMetadata("format", "sfn-checkpoint-9");
        foreign.Save(file);
        Assert.Contains("sfn-checkpoint-9", Refused(file, parameters, null), StringComparison.Ordinal);
        File.WriteAllText(file, "This is not a safetensors file at all.");
        Refused(file, parameters, optimizer);
    }

    [Fact]
    public void A_file_cut_off_anywhere_is_refused()
    {
        using var folder = new TemporaryFolder();
        string file = folder["c.safetensors"];
        var (parameters, optimizer) = Trained(seed: 1);
        Checkpoint.Save(file, parameters, optimizer, s_state);
        byte[] bytes = File.ReadAllBytes(file);
        Gen.Int[0, bytes.Length - 1].Sample(length =>
        {
            File.WriteAllBytes(file, bytes[..length]);
            Refused(file, parameters, optimizer);
        }, iter: 100, threads: 1);
        File.WriteAllBytes(file, [.. bytes, 0]);
        Refused(file, parameters, optimizer);
    }

    [Fact]
    public void A_flipped_bit_anywhere_is_noticed_before_anything_is_overwritten()
    {
        using var folder = new TemporaryFolder();
        string file = folder["c.safetensors"];
        var (parameters, optimizer) = Trained(seed: 1);
        Checkpoint.Save(file, parameters, optimizer, s_state);
        byte[] bytes = File.ReadAllBytes(file);
        var (others, fresh) = Trained(seed: 2);
        Gen.Select(Gen.Int[0, bytes.Length - 1], Gen.Int[0, 7]).Sample((at, bit) =>
        {
            byte[] changed = [.. bytes];
            changed[at] ^= (byte)(1 << bit);
            // Another kind of white space in the header's padding means the same.
            if (bytes[at] == ' ') return;
            File.WriteAllBytes(file, changed);
            Refused(file, others, fresh);
        }, iter: 400, threads: 1);
    }

    private static string Refused(string file, Parameter[] parameters, Optimizer? optimizer, string? config = null)
    {
        float[][] before = [.. parameters.Select(p => p.Value.ToArray())];
        string message = Assert.Throws<FormatError>(() => Checkpoint.Load(file, parameters, optimizer, config)).Message;
        Assert.StartsWith(file, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        for (int i = 0; i < parameters.Length; i++) Assert.Equal(before[i], parameters[i].Value.ToArray());
        return message;
    }

    private static (Parameter[] Parameters, AdamW Optimizer) Trained(ulong seed)
    {
        Parameter[] parameters = [new("a", Tensor.Randn([3, 5], seed)), new("b", Tensor.Randn([7], seed + 50))];
        var optimizer = new AdamW(parameters);
        for (ulong step = 0; step < seed; step++)
        {
            foreach (var p in parameters) p.AddGradient(Tensor.Randn(p.Shape, seed + step));
            optimizer.Step(0.1f);
        }
        return (parameters, optimizer);
    }
}

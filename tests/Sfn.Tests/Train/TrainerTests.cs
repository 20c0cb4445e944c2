using System.Text;
using System.Text.Json;
using Sfn.Autograd;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Tests.Train;

/// <summary>Whole runs of a small model on a made-up language; memory is measured, so nothing else runs meanwhile.</summary>
[CollectionDefinition(nameof(TrainerTests), DisableParallelization = true)]
[Collection(nameof(TrainerTests))]
public class TrainerTests
{
    internal static readonly TrainConfig s_tiny = TrainConfig.FromPreset("tiny") with
    {
        Layers = 2,
        Width = 32,
        Heads = 2,
        Context = 32,
        Rank = 8,
        Batch = 4,
        Steps = 12,
        EvalEvery = 4,
        EvalBatches = 2,
        CheckpointEvery = 5,
        LearningRate = 1e-2f,
        Warmup = 2,
    };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void A_run_leaves_everything_it_promises()
    {
        using var folder = new TemporaryFolder();
        var reports = new Reports();
        var summary = Run(In(folder, s_tiny), reports);
        Assert.True(summary.Completed);
        Assert.Equal((12L, 12L * 4 * 32), (summary.Steps, summary.Tokens));
        string run = Path.Combine(folder["runs"], "lowrank-tiny-1");
        foreach (string file in new[] { "checkpoint.safetensors", "checkpoint.previous.safetensors", "best.safetensors", "config.json", "metrics.jsonl",
            "summary.json", "loss.svg" })
            Assert.True(File.Exists(Path.Combine(run, file)), file);
        Assert.Empty(Directory.GetFiles(run, "*.tmp"));
        var entries = MetricsLog.Read(Path.Combine(run, "metrics.jsonl"));
        Assert.Equal(Enumerable.Range(0, 13).Select(i => (long)i), entries.Select(e => e.Step));
        Assert.All(entries.Skip(1), e => Assert.True(e is
        {
            Loss: > 0, BitsPerByte: > 0, LearningRate: > 0, GradientNorm: > 0, TokensPerSecond: > 0,
            LiveBytes: > 0, PeakBytes: > 0, Seconds: > 0
        }));
        Assert.Equal([0L, 4, 8, 12], entries.Where(e => e.ValLoss is not null).Select(e => e.Step));
        var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "summary.json"))).RootElement;
        foreach (string name in new[] { "val_loss", "bits_per_byte", "steps", "tokens", "tokens_per_second", "peak_bytes", "parameters", "seed", "device",
            "threads", "corpus_sha256" })
            Assert.True(json.TryGetProperty(name, out _), name);
        Assert.Equal(summary.ValLoss!.Value / Math.Log(2), summary.BitsPerByte!.Value, 1e-12);
        Assert.Equal(13, reports.All.Count);
        Assert.Equal([5L, 10, 12], reports.All.Where(r => r.Saved).Select(r => r.Step));
        Assert.Equal(TimeSpan.Zero, reports.All[^1].Remaining);

        // What was trained can be used; the best weights give the best loss.
        var loaded = RunLoader.Open(run);
        Assert.Equal((summary.BestStep, summary.Parameters), (loaded.State.Step, loaded.Model.Parameters.Sum(p => p.Count)));
        using var corpus = Corpus.Load(loaded.Config.DataOptions());
        Assert.Equal(summary.BestValLoss!.Value, Evaluation.Loss(loaded.Model, new EvaluationWindows(corpus.Validation, 32, 8), 4, Stop));
        // The untrained model is measured on one batch.
        var untrained = new Transformer(loaded.Model.Config, seed: loaded.Config.Seed);
        Assert.Equal(entries[0].ValLoss!.Value, Evaluation.Loss(untrained, new EvaluationWindows(corpus.Validation, 32, 4), 4, Stop));
    }

    [Fact]
    public void Runs_are_bit_equal_at_any_number_of_threads_and_from_their_own_config()
    {
        using var folder = new TemporaryFolder();
        var config = In(folder, s_tiny) with { Dropout = 0.1f };
        string one = Run(config with { Threads = 1, Name = "one" }).CheckpointSha256;
        Assert.Equal(one, Run(config with { Threads = 2, Name = "two" }).CheckpointSha256);
        var own = TrainConfig.Load(Path.Combine(folder["runs"], "two", "config.json"));
        Assert.Equal(one, Run(own with { Threads = 3, Name = "three" }).CheckpointSha256);
        // What is only looked at does not matter either.
        Assert.Equal(one, Run(config with { LogEvery = 5, CheckpointEvery = 0, Name = "quiet" }).CheckpointSha256);
        Assert.NotEqual(one, Run(config with { Seed = 2, Name = "four" }).CheckpointSha256);
    }

    [Theory, InlineData(1), InlineData(4), InlineData(11)]
    public void A_stopped_run_resumes_to_the_same_bytes(int stop)
    {
        using var folder = new TemporaryFolder();
        var config = In(folder, s_tiny) with { Dropout = 0.1f, Accumulate = 2 };
        string whole = Run(config with { Name = "whole" }).CheckpointSha256;
        using (var cancel = new CancellationTokenSource())
        {
            using var trainer = new Trainer(config with { Name = "stopped" });
            var summary = trainer.Run(cancel.Token, new Reports(r => { if (r.Step == stop) cancel.Cancel(); }));
            // The token is seen before the next step; a checkpoint of the step that was finished is there.
            Assert.Equal((false, (long)stop), (summary.Completed, summary.Steps));
            Assert.Contains("in use", Assert.Throws<InputError>(() => Trainer.Resume(trainer.Folder.Path)).Message, StringComparison.Ordinal);
        }
        string run = Path.Combine(folder["runs"], "stopped");
        Assert.Equal(stop, Checkpoint.ReadState(Path.Combine(run, "checkpoint.safetensors")).Step);
        using (var resumed = Trainer.Resume(run))
        {
            Assert.Equal(stop, resumed.Step);
            var summary = resumed.Run(Stop);
            Assert.Equal((true, whole), (summary.Completed, summary.CheckpointSha256));
        }
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder["runs"], "whole", "best.safetensors")), File.ReadAllBytes(Path.Combine(run, "best.safetensors")));
        Assert.Equal(Enumerable.Range(0, 13).Select(i => (long)i), MetricsLog.Read(Path.Combine(run, "metrics.jsonl")).Select(e => e.Step));
        // A run that is complete only writes its summary again.
        using (var again = Trainer.Resume(run)) Assert.Equal(whole, again.Run(Stop).CheckpointSha256);
    }

    [Fact]
    public void A_run_killed_before_its_first_checkpoint_begins_again()
    {
        using var folder = new TemporaryFolder();
        var config = In(folder, s_tiny);
        string whole = Run(config with { Name = "whole" }).CheckpointSha256;
        using (new Trainer(config with { Name = "killed" })) { }
        using var resumed = Trainer.Resume(Path.Combine(folder["runs"], "killed"));
        Assert.Equal(whole, resumed.Run(Stop).CheckpointSha256);
    }

    [Fact]
    public void Changed_data_settings_and_damaged_checkpoints_are_refused()
    {
        using var folder = new TemporaryFolder();
        var config = In(folder, s_tiny) with { Name = "run" };
        Run(config);
        string run = Path.Combine(folder["runs"], "run"), file = Path.Combine(run, "checkpoint.safetensors"), settings = Path.Combine(run, "config.json");
        byte[] good = File.ReadAllBytes(file);
        byte[] bad = [.. good];
        bad[^20] ^= 1;
        File.WriteAllBytes(file, bad);
        string message = Assert.Throws<InputError>(() => Trainer.Resume(run)).Message;
        Assert.Contains("checksum", message, StringComparison.Ordinal);
        Assert.Contains("checkpoint.previous.safetensors", message, StringComparison.Ordinal);
        Assert.Equal(bad, File.ReadAllBytes(file));
        foreach (int length in (int[])[0, 100, good.Length / 2])
        {
            File.WriteAllBytes(file, good[..length]);
            Assert.Contains("checkpoint.previous.safetensors", Assert.Throws<InputError>(() => Trainer.Resume(run)).Message, StringComparison.Ordinal);
            Assert.Contains("best.safetensors", Assert.Throws<InputError>(() => RunLoader.Open(file)).Message, StringComparison.Ordinal);
        }
        File.WriteAllBytes(file, good);
        string json = File.ReadAllText(settings);
        File.WriteAllText(settings, json.Replace("\"seed\": 1", "\"seed\": 2", StringComparison.Ordinal));
        Assert.Contains("settings", Assert.Throws<InputError>(() => Trainer.Resume(run)).Message, StringComparison.Ordinal);
        File.WriteAllText(settings, json);
        File.AppendAllText(config.Data, "more");
        Assert.Contains("has changed", Assert.Throws<InputError>(() => Trainer.Resume(run)).Message, StringComparison.Ordinal);
        Assert.Contains("holds a run already", Assert.Throws<InputError>(() => new Trainer(config)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Accumulated_gradients_are_those_of_the_large_batch()
    {
        using var folder = new TemporaryFolder();
        var config = In(folder, s_tiny) with { Steps = 3 };
        Run(config with { Name = "large", Batch = 8 });
        Run(config with { Name = "parts", Batch = 2, Accumulate = 4 });
        var large = MetricsLog.Read(Path.Combine(folder["runs"], "large", "metrics.jsonl")).Skip(1);
        var parts = MetricsLog.Read(Path.Combine(folder["runs"], "parts", "metrics.jsonl")).Skip(1);
        foreach (var (a, b) in large.Zip(parts))
        {
            Assert.Equal(a.Loss!.Value, b.Loss!.Value, 1e-5);
            Assert.Equal(a.GradientNorm!.Value, b.GradientNorm!.Value, 1e-4 * a.GradientNorm.Value);
        }
    }

    [Fact]
    public void Memory_is_flat_after_the_second_step()
    {
        using var folder = new TemporaryFolder();
        var seen = new List<(long Live, long Allocations)>();
        var reports = new Reports(r => { if (r.Step >= 2) seen.Add((Memory.Live(), Memory.Allocations())); });
        Run(In(folder, s_tiny) with { Steps = 40, Accumulate = 2, EvalEvery = 10, CheckpointEvery = 10, Dropout = 0.1f }, reports);
        Assert.Single(seen.Distinct());
    }

    [Fact]
    public void A_step_allocates_little_managed_memory()
    {
        using var folder = new TemporaryFolder();
        var seen = new List<long>();
        Run(In(folder, s_tiny) with { Layers = 12, Steps = 12, EvalEvery = 0, CheckpointEvery = 0, LogEvery = 100 },
            new Reports(_ => seen.Add(GC.GetAllocatedBytesForCurrentThread())));
        long most = seen.Zip(seen.Skip(1), (before, after) => after - before).Skip(4).SkipLast(1).Max();
        Assert.True(most < 200_000, $"{most:N0} bytes");
    }

    [Fact]
    public void A_loss_that_is_not_finite_names_the_last_good_checkpoint()
    {
        using var folder = new TemporaryFolder();
        using var trainer = new Trainer(In(folder, s_tiny) with { CheckpointEvery = 3 });
        var poison = new Reports(r => { if (r.Step == 4) trainer.Model.Parameters[0].Set(Tensor.Full(trainer.Model.Parameters[0].Shape, double.NaN)); });
        string message = Assert.Throws<InputError>(() => trainer.Run(Stop, poison)).Message;
        Assert.Contains("after step 4", message, StringComparison.Ordinal);
        Assert.Contains("(step 3)", message, StringComparison.Ordinal);
        Assert.Equal(3, Checkpoint.ReadState(trainer.Folder["checkpoint.safetensors"]).Step);
    }

    [Theory]
    [InlineData(FfnKind.Dense, ActivationKind.Gelu, 8, 0)]
    [InlineData(FfnKind.LowRank, ActivationKind.SwiGlu, 4, 0)]
    [InlineData(FfnKind.BlockDense, ActivationKind.Gelu, 8, 0.1f)]
    [InlineData(FfnKind.BlockShuffle, ActivationKind.Gelu, 16, 0)]
    public void Memory_estimate_is_within_15_percent_of_the_tensors(FfnKind kind, ActivationKind activation, int batch, float dropout)
    {
        using var folder = new TemporaryFolder();
        var config = In(folder, s_tiny) with { Width = 96, Context = 128, Rank = 24, Batch = batch, Ffn = kind, Activation = activation, Dropout = dropout, Steps = 3 };
        if (kind is FfnKind.BlockShuffle or FfnKind.Dense) config = config with { Rank = 0 };
        // Tensors that other tests have dropped would count.
        Memory.CollectGarbage();
        var summary = Run(config with { EvalEvery = 0, EvalBatches = 1 });
        Assert.InRange((double)new ModelCounts(config.Model(256)).TrainingBytes(batch) / summary.PeakTensorBytes, 0.85, 1.15);
    }

    [Fact]
    public void Too_large_a_model_is_refused_before_it_is_made()
    {
        using var folder = new TemporaryFolder();
        string message = Assert.Throws<InputError>(() => new Trainer(In(folder, TrainConfig.FromPreset("xl") with { Batch = 4096 }))).Message;
        Assert.Contains("--batch", message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["runs"]));
    }

    public static TheoryData<FfnKind, double> Losses
        => new() { { FfnKind.Dense, 0.85 }, { FfnKind.LowRank, 1.3 }, { FfnKind.BlockDense, 0.85 }, { FfnKind.BlockShuffle, 0.45 } };

    [Theory, MemberData(nameof(Losses))]
    public void Every_structure_learns(FfnKind kind, double most)
    {
        using var folder = new TemporaryFolder();
        var config = In(folder, s_tiny) with { Ffn = kind, Blocks = 4, Rank = 16, DenseFirstLayer = false, Steps = 150 };
        var summary = Run(config with { EvalEvery = 0, CheckpointEvery = 0, EvalBatches = 8 });
        Assert.True(summary.ValLoss <= most, $"{kind}: {summary.ValLoss}");
    }

    [Fact]
    public void Characters_and_validation_files_work_too()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["v.txt"], Language(7, 4000));
        var config = In(folder, s_tiny) with { Tokenizer = "chars", Name = "chars", Validation = folder["v.txt"], Steps = 2, EvalBatches = 0 };
        var summary = Run(config);
        Assert.True(summary.ValLoss > 0);
        var loaded = RunLoader.Open(Path.Combine(folder["runs"], "chars"));
        Assert.Equal(loaded.Tokenizer.VocabularySize, loaded.Model.Config.VocabularySize);
        Assert.True(loaded.Tokenizer.VocabularySize < 40);
        using var resumed = Trainer.Resume(Path.Combine(folder["runs"], "chars"));
        Assert.Equal(summary.CheckpointSha256, resumed.Run(Stop).CheckpointSha256);
    }

    private static TrainSummary Run(TrainConfig config, Reports? reports = null)
    {
        using var trainer = new Trainer(config);
        return trainer.Run(Stop, reports);
    }

    internal static TrainConfig In(TemporaryFolder folder, TrainConfig config)
    {
        string file = folder["text.txt"];
        if (!File.Exists(file)) File.WriteAllText(file, Language(1, 30_000));
        return config with { Data = file, Out = folder["runs"] };
    }

    /// <summary>Sentences of a small grammar: enough rules to learn, no two runs of the generator alike.</summary>
    private static string Language(int seed, int length)
    {
        string[] who = ["the cat", "a small dog", "my friend", "the old man", "every bird"], does = ["sees", "likes", "follows", "does not know"],
            end = [".", "!", " today."];
        var random = new Random(seed);
        var text = new StringBuilder();
        while (text.Length < length)
            text.Append($"{who[random.Next(5)]} {does[random.Next(4)]} {who[random.Next(5)]}{end[random.Next(3)]}\n");
        return text.ToString();
    }

    internal sealed class Reports(Action<TrainProgress>? then = null) : IProgress<TrainProgress>
    {
        public List<TrainProgress> All { get; } = [];

        public void Report(TrainProgress value)
        {
            All.Add(value);
            then?.Invoke(value);
        }
    }
}

using Sfn.IO;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Tests.Train;

/// <summary>Whole runs in mixed precision beside the same runs in float32.</summary>
[Collection(nameof(TrainerTests))]
public class PrecisionTests
{
    private static readonly TrainConfig s_brief = TrainerTests.s_tiny with { Precision = Precision.Bf16 };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void A_bfloat16_run_follows_the_float32_run()
    {
        using var folder = new TemporaryFolder();
        var config = TrainerTests.In(folder, TrainerTests.s_tiny) with { Steps = 150, EvalEvery = 50, CheckpointEvery = 0, LearningRate = 3e-3f };
        TrainSummary wide = Run(config with { Name = "fp32" }), brief = Run(config with { Name = "bf16", Precision = Precision.Bf16 });
        Assert.Equal((Precision.Fp32, Precision.Bf16), (wide.Precision, brief.Precision));
        var a = MetricsLog.Read(Path.Combine(folder["runs"], "fp32", "metrics.jsonl"));
        var b = MetricsLog.Read(Path.Combine(folder["runs"], "bf16", "metrics.jsonl"));
        double worst = 0;
        foreach (var (x, y) in a.Zip(b)) if (x.Loss is { } loss) worst = Math.Max(worst, Math.Abs(loss - y.Loss!.Value));
        // The band: 0.01 nats at every step, while the loss falls from 5.5 to 1.3. (At higher rates two runs part from any rounding, and neither is better.)
        Assert.True(worst < 0.01, $"{worst}");
        Assert.True(worst > 0);
        Assert.Equal(wide.ValLoss!.Value, brief.ValLoss!.Value, 0.005);
        Assert.True(brief.ValLoss < 1.5, $"{brief.ValLoss}");
    }

    [Theory, InlineData(1), InlineData(7)]
    public void A_stopped_run_resumes_to_the_same_bytes(int stop)
    {
        using var folder = new TemporaryFolder();
        var config = TrainerTests.In(folder, s_brief) with { Dropout = 0.1f, Accumulate = 2 };
        string whole = Run(config with { Name = "whole" }).CheckpointSha256;
        using (var cancel = new CancellationTokenSource())
        {
            using var trainer = new Trainer(config with { Name = "stopped" });
            trainer.Run(cancel.Token, new TrainerTests.Reports(r => { if (r.Step == stop) cancel.Cancel(); }));
        }
        using var resumed = Trainer.Resume(Path.Combine(folder["runs"], "stopped"));
        Assert.Equal((long)stop, resumed.Step);
        Assert.Equal(whole, resumed.Run(Stop).CheckpointSha256);
        Assert.Equal(whole, Run(config with { Threads = 3, Name = "threads" }).CheckpointSha256);
        Assert.NotEqual(whole, Run(config with { Precision = Precision.Fp32, Name = "fp32" }).CheckpointSha256);
    }

    [Theory]
    [InlineData(FfnKind.Dense, ActivationKind.Gelu, 16)]
    [InlineData(FfnKind.LowRank, ActivationKind.SwiGlu, 16)]
    [InlineData(FfnKind.BlockShuffle, ActivationKind.Gelu, 32)]
    public void Bfloat16_takes_less_memory_and_the_estimate_says_how_much(FfnKind kind, ActivationKind activation, int batch)
    {
        using var folder = new TemporaryFolder();
        var config = TrainerTests.In(folder, TrainerTests.s_tiny) with
        {
            Width = 96,
            Context = 128,
            Layers = 4,
            Rank = kind == FfnKind.LowRank ? 24 : 0,
            Batch = batch,
            Ffn = kind,
            Activation = activation,
            Steps = 3,
            EvalEvery = 0,
            EvalBatches = 1,
        };
        Memory.CollectGarbage();
        var wide = Run(config with { Name = "fp32" });
        Memory.CollectGarbage();
        var brief = Run(config with { Name = "bf16", Precision = Precision.Bf16 });
        Assert.True(brief.PeakTensorBytes < 0.72 * wide.PeakTensorBytes, $"{brief.PeakTensorBytes / 1e6:N1} and {wide.PeakTensorBytes / 1e6:N1} MB");
        var model = (config with { Precision = Precision.Bf16 }).Model(256);
        Assert.InRange((double)new ModelCounts(model).TrainingBytes(batch) / brief.PeakTensorBytes, 0.85, 1.15);
    }

    [Fact]
    public void Checkpoints_hold_float32_and_are_read_in_any_precision()
    {
        using var folder = new TemporaryFolder();
        var summary = Run(TrainerTests.In(folder, s_brief) with { Name = "run", Steps = 40 });
        string run = Path.Combine(folder["runs"], "run");
        using (var file = SafetensorsFile.Open(Path.Combine(run, "checkpoint.safetensors")))
            Assert.All(file.Entries, e => Assert.Equal(e.Name == "adamw.steps" ? "I32" : "F32", e.DType));
        var own = RunLoader.Open(run);
        Assert.Equal((DType.BF16, Precision.Bf16), (own.Model.Numerics.Compute, own.Config.Precision));
        using var corpus = Corpus.Load(own.Config.DataOptions());
        double Loss(LoadedRun loaded) => Evaluation.Loss(loaded.Model, new EvaluationWindows(corpus.Validation, 32, 8), 4, Stop);
        Assert.Equal(summary.BestValLoss!.Value, Loss(own));
        var wide = RunLoader.Open(run, precision: Precision.Fp32);
        Assert.Equal(DType.F32, wide.Model.Numerics.Compute);
        foreach (var (a, b) in own.Model.Parameters.Zip(wide.Model.Parameters)) Assert.Equal(a.Value.ToArray(), b.Value.ToArray());
        Assert.Equal(Loss(own), Loss(wide), 0.01);
        Assert.NotEqual(Loss(own), Loss(wide));
    }

    [Fact]
    public void The_configuration_names_the_precision()
    {
        var tiny = TrainConfig.FromPreset("tiny");
        Assert.Contains("\"precision\": \"fp32\"", tiny.ToJson(), StringComparison.Ordinal);
        foreach (var precision in Enum.GetValues<Precision>())
        {
            var config = tiny with { Precision = precision };
            Assert.Equal(config, TrainConfig.FromJson(config.ToJson()));
            Assert.Equal(precision, Precisions.Parse(precision.Word()));
            Assert.Equal(precision.Numerics(), config.Model().Numerics);
            Assert.Equal(precision == Precision.Fp32, config.Hash() == tiny.Hash());
        }
        Assert.Equal("x: 'precision' must be one of fp32, tf32, bf16",
            Assert.Throws<InputError>(() => TrainConfig.FromJson("""{"precision": "fp16"}""", "x")).Message);
        Assert.Equal("--precision must be fp32, tf32 or bf16, not half", Assert.Throws<InputError>(() => Precisions.Parse("half")).Message);
    }

    private static TrainSummary Run(TrainConfig config)
    {
        using var trainer = new Trainer(config);
        return trainer.Run(Stop);
    }
}

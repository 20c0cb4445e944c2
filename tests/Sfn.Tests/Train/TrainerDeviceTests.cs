using Sfn.Train;

namespace Sfn.Tests.Train;

/// <summary>Runs on a device that works by itself: it replays steps, runs out of memory, is lost.</summary>
[Collection(nameof(TrainerTests))]
public class TrainerDeviceTests
{
    private static readonly TrainConfig s_config = TrainerTests.s_tiny with { Width = 16, Context = 16, Rank = 4, Dropout = 0.1f, Accumulate = 2 };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void A_replayed_run_is_the_run_call_by_call_and_resumes_to_the_same_bytes()
    {
        using var folder = new TemporaryFolder();
        var backend = ReplayBackend.New(out var device);
        var config = TrainerTests.In(folder, s_config) with { Device = device.Name };
        string whole;
        using (var trainer = new Trainer(config with { Name = "whole" })) whole = trainer.Run(Stop).CheckpointSha256;
        Assert.Equal(10, backend.Replays);
        ReplayBackend.New(out var plain);
        ((ReplayBackend)plain.Backend).Refuses = true;
        using (var trainer = new Trainer(config with { Name = "plain", Device = plain.Name })) trainer.Run(Stop);
        Assert.Equal(Weights(folder, "whole"), Weights(folder, "plain"));
        using (var cancel = new CancellationTokenSource())
        {
            using var trainer = new Trainer(config with { Name = "stopped" });
            trainer.Run(cancel.Token, new TrainerTests.Reports(r => { if (r.Step == 4) cancel.Cancel(); }));
        }
        using var resumed = Trainer.Resume(Path.Combine(folder["runs"], "stopped"));
        Assert.Equal(whole, resumed.Run(Stop).CheckpointSha256);
    }

    [Fact]
    public void The_host_reads_at_logged_steps_only()
    {
        using var folder = new TemporaryFolder();
        var backend = ReplayBackend.New(out var device);
        var config = TrainerTests.In(folder, s_config) with { Device = device.Name, LogEvery = 5, EvalEvery = 0, CheckpointEvery = 0, Steps = 11 };
        using var trainer = new Trainer(config);
        var downloads = new List<int>();
        var norms = new List<double>();
        trainer.Run(Stop, new TrainerTests.Reports(r =>
        {
            downloads.Add(backend.Downloads);
            norms.Add(r.GradientNorm);
        }));
        // Reports come before the first step and after each; loss and norm are read after steps 5 and 10.
        int[] read = [.. downloads.Zip(downloads.Skip(1), (before, after) => after - before)];
        Assert.Equal([0, 0, 0, 0, 2, 0, 0, 0, 0, 2], read[..10]);
        Assert.Equal(norms[5], norms[9]);
        Assert.True(norms[5] > 0);
    }

    [Fact]
    public void A_loss_between_logged_steps_that_is_not_finite_reaches_no_checkpoint()
    {
        using var folder = new TemporaryFolder();
        ReplayBackend.New(out var device);
        var config = TrainerTests.In(folder, s_config) with { Device = device.Name, LogEvery = 100, EvalEvery = 0, CheckpointEvery = 3 };
        using var trainer = new Trainer(config);
        var poison = new TrainerTests.Reports(r =>
        {
            if (r.Step == 4) trainer.Model.Parameters[0].Set(Tensor.Full(trainer.Model.Parameters[0].Shape, double.NaN, DType.F32, device));
        });
        string message = Assert.Throws<InputError>(() => trainer.Run(Stop, poison)).Message;
        Assert.Contains("after step 6", message, StringComparison.Ordinal);
        Assert.Contains("(step 3)", message, StringComparison.Ordinal);
        Assert.Equal(3, Checkpoint.ReadState(trainer.Folder["checkpoint.safetensors"]).Step);
    }

    [Fact]
    public void Too_little_memory_names_owners_and_what_would_fit_and_the_process_goes_on()
    {
        using var folder = new TemporaryFolder();
        var backend = ReplayBackend.New(out var device);
        var config = TrainerTests.In(folder, s_config) with { Device = device.Name, Batch = 64, Context = 32, EvalBatches = 1, Accumulate = 1, Steps = 4 };
        backend.Limit = 4_000_000;
        string message;
        using (var trainer = new Trainer(config))
        {
            message = Assert.Throws<OutOfDeviceMemory>(() => trainer.Run(Stop)).Message;
            Assert.True(Memory.Live(device) <= backend.Limit);
        }
        Assert.False(Memory.Tracking);
        Assert.Contains("Largest users: ", message, StringComparison.Ordinal);
        Assert.DoesNotContain("unknown", message, StringComparison.Ordinal);
        Assert.Contains("there is no checkpoint yet", message, StringComparison.Ordinal);
        var fits = System.Text.RegularExpressions.Regex.Match(message, "--batch (\\d+) --accumulate (\\d+) would fit");
        Assert.True(fits.Success, message);
        int batch = int.Parse(fits.Groups[1].Value), accumulate = int.Parse(fits.Groups[2].Value);
        Assert.Equal(64, batch * accumulate);
        using (var trainer = new Trainer(config with { Batch = batch, Accumulate = accumulate })) Assert.True(trainer.Run(Stop).Completed);
        // Where there is no room for the model itself, no batch helps.
        ReplayBackend.New(out var small).Limit = 50_000;
        message = Assert.Throws<OutOfDeviceMemory>(() => new Trainer(config with { Device = small.Name })).Message;
        Assert.Contains("not even --batch 1", message, StringComparison.Ordinal);
    }

    [Theory, InlineData(2), InlineData(5)]
    public void A_lost_device_ends_the_run_and_the_last_good_checkpoint_stays(int step)
    {
        using var folder = new TemporaryFolder();
        var backend = ReplayBackend.New(out var device);
        var config = TrainerTests.In(folder, s_config) with { Device = device.Name, EvalEvery = 0, CheckpointEvery = 3, Name = "run" };
        string whole;
        using (var trainer = new Trainer(config with { Name = "whole" })) whole = trainer.Run(Stop).CheckpointSha256;
        string message;
        byte[] checkpoint = [];
        using (var trainer = new Trainer(config))
        {
            message = Assert.Throws<DeviceLost>(() => trainer.Run(Stop, new TrainerTests.Reports(r =>
            {
                if (r.Step == 3) checkpoint = File.ReadAllBytes(trainer.Folder["checkpoint.safetensors"]);
                backend.IsLost = r.Step == step;
            }))).Message;
        }
        Assert.Contains(device.Name, message, StringComparison.Ordinal);
        Assert.Contains("CUDA_ERROR_ECC_UNCORRECTABLE", message, StringComparison.Ordinal);
        Assert.Contains($"after step {step}", message, StringComparison.Ordinal);
        Assert.Contains("--resume run", message, StringComparison.Ordinal);
        Assert.Contains(step < 3 ? "there is no checkpoint yet" : "(step 3)", message, StringComparison.Ordinal);
        string run = Path.Combine(folder["runs"], "run"), file = Path.Combine(run, "checkpoint.safetensors");
        Assert.Equal(checkpoint, File.Exists(file) ? File.ReadAllBytes(file) : []);
        Assert.Empty(Directory.GetFiles(run, "*.tmp"));
        // In a new process the device works again.
        backend.IsLost = false;
        using var resumed = Trainer.Resume(run);
        Assert.Equal(whole, resumed.Run(Stop).CheckpointSha256);
    }

    private static float[][] Weights(TemporaryFolder folder, string run)
        => [.. RunLoader.Open(Path.Combine(folder["runs"], run, "checkpoint.safetensors")).Model.Parameters.Select(p => p.Value.ToArray())];
}

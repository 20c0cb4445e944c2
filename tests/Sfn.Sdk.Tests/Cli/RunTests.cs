using System.Text.Json;

namespace Sfn.Sdk.Tests.Cli;

/// <summary>A run from the command line: train, look at it, use it, interrupt it, go on.</summary>
public sealed class RunTests : IClassFixture<SfnCommand>
{
    private const string Model = "--data text.txt --layers 2 --width 32 --heads 2 --context 32 --batch 4";
    private readonly SfnCommand _sfn;

    public RunTests(SfnCommand sfn)
    {
        _sfn = sfn;
        if (!File.Exists(sfn["text.txt"])) sfn.WriteText("text.txt");
    }

    [Fact]
    public void Trains_evaluates_and_generates()
    {
        var train = _sfn.Run($"train {Model} --steps 20 --name first");
        Assert.Equal((0, ""), (train.Code, train.Error));
        AssertPlain(train.Out);
        Assert.Contains("step 20/20", train.Out);
        Assert.Contains("bits per byte", train.Out);
        Assert.Contains("A sample:", train.Out);
        Assert.Contains($"The run is in {Path.Combine("runs", "first")}", train.Out);
        foreach (string file in new[] { "config.json", "metrics.jsonl", "summary.json", "loss.svg", "checkpoint.safetensors" })
            Assert.True(File.Exists(_sfn[$"runs/first/{file}"]), file);
        using var summary = Summary("first");
        Assert.Equal(20, summary.RootElement.GetProperty("steps").GetInt64());
        Assert.InRange(summary.RootElement.GetProperty("val_loss").GetDouble(), 0.5, 5.4);

        var again = _sfn.Run($"train {Model} --steps 20 --name first");
        Assert.Equal(2, again.Code);
        Assert.Contains("--resume", again.Error);

        // By name and by path; the same seed gives the same text, and a prompt is printed first.
        var text = _sfn.Run(["generate", "first", "--prompt", "the small ", "--tokens", "40", "--seed", "3"]);
        Assert.Equal((0, ""), (text.Code, text.Error));
        Assert.StartsWith("the small ", text.Out);
        AssertPlain(text.Out);
        Assert.Equal(text.Out, _sfn.Run(["generate", "runs/first", "--prompt", "the small ", "--tokens", "40", "--seed", "3"]).Out);

        var measured = _sfn.Run("eval first --eval-batches 8");
        Assert.Equal((0, ""), (measured.Code, measured.Error));
        Assert.Contains("bits per byte", measured.Out);
        Assert.Equal(2, _sfn.Run("train --resume first --lr 1").Code);
    }

    [Fact]
    public void A_run_in_bfloat16_is_used_in_its_own_precision_or_another()
    {
        var train = _sfn.Run($"train {Model} --steps 20 --precision bf16 --name brief");
        Assert.Equal((0, ""), (train.Code, train.Error));
        Assert.Contains("bfloat16", train.Out);
        using var summary = Summary("brief");
        Assert.Equal("bf16", summary.RootElement.GetProperty("precision").GetString());
        string own = _sfn.Run("eval brief --eval-batches 8").Out;
        Assert.Equal(own.Split(';')[0], _sfn.Run("eval brief --eval-batches 8 --precision bf16").Out.Split(';')[0]);
        Assert.Contains("bits per byte", _sfn.Run("eval brief --eval-batches 8 --precision fp32").Out);
        Assert.Equal(0, _sfn.Run("generate brief --tokens 10 --precision fp32").Code);
        var resumed = _sfn.Run("train --resume brief --precision fp32");
        Assert.Equal(2, resumed.Code);
        Assert.Contains("--precision cannot be changed", resumed.Error);
    }

    [Fact]
    public void Config_file_makes_the_same_run_and_options_change_it()
    {
        Assert.Equal(0, _sfn.Run($"train {Model} --steps 12 --tokenizer chars --ffn blockshuffle --blocks 2 --name second").Code);
        Assert.Equal(0, _sfn.Run("train --config runs/second/config.json --name third --threads 1").Code);
        using var second = Summary("second");
        using var third = Summary("third");
        Assert.Equal(Checkpoint(second), Checkpoint(third));
        Assert.Equal(0, _sfn.Run("train --config runs/second/config.json --name fourth --steps 6").Code);
        using var config = JsonDocument.Parse(File.ReadAllText(_sfn["runs/fourth/config.json"]));
        Assert.Equal(6, config.RootElement.GetProperty("steps").GetInt64());
        Assert.Equal("chars", config.RootElement.GetProperty("tokenizer").GetString());
        // A tenth of the steps, as by default: the file's 1 of 12 steps does not stick.
        Assert.Equal(1, config.RootElement.GetProperty("warmup").GetInt64());
    }

    [Fact]
    public void A_learning_rate_beyond_all_bounds_ends_with_one_line()
    {
        var outcome = _sfn.Run($"train {Model} --steps 8 --lr 1e30 --clip 0 --name wild");
        Assert.Equal(2, outcome.Code);
        Assert.Single(outcome.Error.TrimEnd().Split('\n'));
        Assert.Contains("--lr", outcome.Error);
    }

    [Fact]
    public void Text_without_a_prompt_begins_with_a_visible_character()
    {
        // After one step a model of bytes makes white space, control characters and bytes that are no character.
        Assert.Equal(0, _sfn.Run($"train {Model} --steps 1 --name raw").Code);
        for (int seed = 1; seed <= 3; seed++)
        {
            string text = _sfn.Run($"generate raw --tokens 40 --seed {seed}").Out;
            Assert.False(text[0] == '\uFFFD' || char.IsWhiteSpace(text[0]), text);
        }
        Assert.Contains("nothing is left to train", _sfn.Run("train --resume raw").Out);
    }

    [Fact]
    public void Interrupted_run_goes_on_to_the_same_checkpoint()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals to send");
        string arguments = $"train {Model} --steps 300 --eval-every 0";
        bool sent = false;
        var stopped = _sfn.Run($"{arguments} --name stopped".Split(' '), (process, line) =>
        {
            if (sent || !line.StartsWith("step ", StringComparison.Ordinal)) return;
            sent = true;
            SfnCommand.Interrupt(process);
        });
        Assert.Equal((130, ""), (stopped.Code, stopped.Error));
        AssertPlain(stopped.Out);
        Assert.Contains($" train --resume {Path.Combine("runs", "stopped")}", stopped.Out);
        Assert.DoesNotContain("A sample:", stopped.Out);

        var resumed = _sfn.Run("train --resume runs/stopped");
        Assert.Equal((0, ""), (resumed.Code, resumed.Error));
        Assert.Contains("going on after step", resumed.Out);
        Assert.Equal(0, _sfn.Run($"{arguments} --name whole").Code);
        using var one = Summary("stopped");
        using var other = Summary("whole");
        Assert.Equal(Checkpoint(other), Checkpoint(one));
    }

    [Fact]
    public void Damaged_checkpoint_is_refused_and_kept()
    {
        Assert.Equal(0, _sfn.Run($"train {Model} --steps 4 --name damaged").Code);
        string file = _sfn["runs/damaged/checkpoint.safetensors"];
        byte[] bytes = File.ReadAllBytes(file);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(file, bytes);
        var resumed = _sfn.Run("train --resume damaged");
        Assert.Equal(2, resumed.Code);
        Assert.Contains("checkpoint.safetensors", resumed.Error);
        Assert.Single(resumed.Error.TrimEnd().Split('\n'));
        Assert.Equal(bytes, File.ReadAllBytes(file));
        var generated = _sfn.Run($"generate {Path.Combine("runs", "damaged", "checkpoint.safetensors")}");
        Assert.Equal(2, generated.Code);
    }

    private JsonDocument Summary(string run) => JsonDocument.Parse(File.ReadAllText(_sfn[$"runs/{run}/summary.json"]));

    private static string? Checkpoint(JsonDocument summary) => summary.RootElement.GetProperty("checkpoint_sha256").GetString();

    // Redirected output is for files: nothing that moves a cursor, no bar.
    private static void AssertPlain(string text) => Assert.All(text, c => Assert.True(!char.IsControl(c) || c is '\n' or '\r' or '\t' || c == '\uFFFD', $"control character {(int)c}"));
}

namespace Sfn.Sdk.Tests.Cli;

/// <summary>Bad input: one line on standard error that names what is wrong, exit code 2, nothing left behind.</summary>
public sealed class InputTests : IClassFixture<SfnCommand>
{
    private readonly SfnCommand _sfn;

    public InputTests(SfnCommand sfn)
    {
        _sfn = sfn;
        if (File.Exists(sfn["text.txt"])) return;
        sfn.WriteText("text.txt");
        File.WriteAllText(sfn["empty.txt"], "");
        File.WriteAllText(sfn["short.txt"], "hello");
        File.WriteAllBytes(sfn["image.png"], [0x89, 0x50, 0x4E, 0x47, 0, 0, 0, 13]);
        File.WriteAllText(sfn["wrong.json"], "{\"stepz\": 3}");
        File.WriteAllText(sfn["kind.json"], "{\"width\": \"broad\"}");
        Directory.CreateDirectory(sfn["nothing"]);
    }

    [Theory]
    [InlineData("train --stepz 20", "--stepz", "--steps")]
    [InlineData("trian", "trian", "train")]
    [InlineData("info surplus", "surplus", "")]
    [InlineData("train --steps many", "--steps", "many")]
    [InlineData("train --steps 1.5", "--steps", "1.5")]
    [InlineData("train --steps 0", "--steps", "0")]
    [InlineData("train --steps", "--steps", "value")]
    [InlineData("train --steps 1 --steps 2", "--steps", "once")]
    [InlineData("train --lr -1", "--lr", "-1")]
    [InlineData("train --bias maybe", "--bias", "maybe")]
    [InlineData("train --precision fp16", "--precision", "bf16")]
    [InlineData("generate first --precision half", "--precision", "bf16")]
    [InlineData("train --preset huge", "huge", "xl")]
    [InlineData("info --width 100", "96 and 102", "5 and 10")]
    [InlineData("info --kv-heads 4", "kv-heads", "3 and 6")]
    [InlineData("info --ffn blockshuffle --blocks 5", "--blocks", "4 and 6")]
    [InlineData("info --rank 500", "--rank", "192")]
    [InlineData("info --ffn dense --rank 8", "--rank", "dense")]
    [InlineData("info --tokens 5", "--tokens", "2048")]
    [InlineData("info --layers 10000 --width 1000000 --heads 1 --context 100000 --batch 20000", "--layers", "large")]
    [InlineData("train --data missing.txt", "missing.txt", "no such file")]
    [InlineData("train --data empty.txt", "empty.txt", "empty")]
    [InlineData("train --data short.txt", "short.txt", "--context")]
    [InlineData("train --data image.png", "image.png", "not text")]
    [InlineData("train --data nothing", "nothing", "*.txt")]
    [InlineData("train --data text.txt --validation 2", "--validation", "2")]
    [InlineData("train --data text.txt --warmup 9 --steps 5", "--warmup", "9")]
    [InlineData("train --data text.txt --device gpu", "gpu", "cpu")]
    [InlineData("train --data text.txt --preset xl --batch 2000", "GB", "--batch")]
    [InlineData("train --config wrong.json", "wrong.json", "stepz")]
    [InlineData("train --config missing.json", "missing.json", "read")]
    [InlineData("train --config kind.json", "'width'", "broad")]
    [InlineData("train --config nothing", "nothing", "folder")]
    [InlineData("train --resume missing", "missing", "runs")]
    [InlineData("train --resume nothing", "nothing", "config.json")]
    [InlineData("generate", "RUN", "")]
    [InlineData("generate missing", "missing", "runs")]
    [InlineData("generate missing --top-p 2", "--top-p", "2")]
    [InlineData("eval nothing", "nothing", "config.json")]
    public void Is_answered_by_one_line_and_exit_code_2(string arguments, string names, string fix)
    {
        var outcome = _sfn.Run(arguments);
        Assert.Equal(2, outcome.Code);
        Assert.Equal("", outcome.Out);
        Assert.StartsWith("error: ", outcome.Error);
        Assert.Equal(outcome.Error.Length - Environment.NewLine.Length, outcome.Error.IndexOf(Environment.NewLine, StringComparison.Ordinal));
        Assert.Contains(names, outcome.Error);
        Assert.Contains(fix, outcome.Error);
        Assert.False(Directory.Exists(_sfn["runs"]), "a run folder was left behind");
    }

    [Fact]
    public void Empty_values_are_named_once()
    {
        var outcome = _sfn.Run(["train", "--data", "text.txt", "--name", ""]);
        Assert.Equal((2, $"error: --name must not be empty{Environment.NewLine}"), (outcome.Code, outcome.Error));
    }

    [Fact]
    public void Control_characters_of_the_input_do_not_reach_the_terminal()
    {
        var outcome = _sfn.Run(["train", "--data", "a\e[31m\nb"]);
        Assert.Equal(2, outcome.Code);
        Assert.DoesNotContain('\e', outcome.Error);
        Assert.Single(outcome.Error.TrimEnd().Split('\n'));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--help")]
    [InlineData("train --help")]
    [InlineData("train --bogus 1 -h")]
    [InlineData("generate --help")]
    [InlineData("eval --help")]
    [InlineData("info --help")]
    [InlineData("devices --help")]
    public void Help_is_plain_text_on_standard_output(string arguments)
    {
        var outcome = _sfn.Run(arguments);
        Assert.Equal(0, outcome.Code);
        Assert.Equal("", outcome.Error);
        Assert.Contains("Usage: sfn", outcome.Out);
        Assert.DoesNotContain('\e', outcome.Out);
        Assert.All(outcome.Out.Split('\n'), line => Assert.True(line.Length <= 120, line));
    }

    [Fact]
    public void Train_help_names_every_default()
    {
        string help = _sfn.Run("train --help").Out;
        string[] without = ["--config FILE.json", "--resume DIR"];
        string[] options = [.. help.Split('\n').Where(line => line.StartsWith("  --", StringComparison.Ordinal) && !char.IsDigit(line.TrimEnd()[^1]))];
        Assert.True(options.Length > 35);
        // A description goes on until the next option or heading.
        string flat = string.Join(' ', help.Split('\n').Select(line => line.Trim()));
        foreach (string option in options.Where(line => !without.Any(line.Contains)))
        {
            string name = option.Trim().Split(' ')[0];
            int at = flat.IndexOf($" {name} ", StringComparison.Ordinal), next = flat.IndexOf(" --", at + name.Length + 1, StringComparison.Ordinal);
            while (next > 0 && !flat[at..next].Contains("[default: ", StringComparison.Ordinal) && flat[at..next].Length < 250) next = flat.IndexOf(" --", next + 1, StringComparison.Ordinal);
            Assert.Contains("[default: ", flat[at..next]);
        }
    }
}

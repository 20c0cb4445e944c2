using System.CommandLine;
using Sfn.Cli.CommandLine;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Cli.Commands;

/// <summary><c>sfn generate</c>: text from a trained model, streamed.</summary>
internal static class GenerateCommand
{
    private const string Group = "Options";

    public static Command Create()
    {
        var run = new Argument<string>("RUN") { Description = "The name of a run under runs/, a run's folder, or one of its checkpoint files." };
        var prompt = Setting.Text("--prompt", Group, "TEXT", "Text to go on from.", standard: "the start of a line, or of a record of sdk-docs", empty: true);
        var tokens = Setting.Whole("--tokens", Group, "Tokens to make.", standard: "500");
        var temperature = Setting.Real("--temperature", Group, "Below 1 is more predictable; 0 always takes the most likely token.", x => x >= 0,
            "of at least 0", standard: "0.8");
        var topK = Setting.Whole("--top-k", Group, "Draw from the N most likely tokens only; 0 for all.", least: 0, standard: "0");
        var topP = Setting.Real("--top-p", Group, "Draw from the most likely tokens that together have this probability.", x => x is > 0 and <= 1,
            "above 0 and at most 1", standard: "1");
        var seed = Setting.Whole("--seed", Group, "The same seed gives the same text.", least: 0, most: long.MaxValue, standard: "1");
        var precision = TrainingSettings.Precision(Group, standard: "that of the run");
        var command = new HelpfulCommand("generate", "Continues a text with a trained model, printing it as it is produced.")
        {
            Remarks = "The prompt is printed first. The weights with the best validation loss are taken; name a checkpoint file for others. Ctrl-C " +
                "ends the text (exit code 130).",
        };
        command.Add(run);
        foreach (var option in (Option[])[prompt, tokens, temperature, topK, topP, seed, precision]) command.Add(option);
        command.SetAction(parse =>
        {
            var sampling = new Sampling
            {
                Temperature = (float)(parse.GetValue(temperature) ?? 0.8),
                TopK = (int)(parse.GetValue(topK) ?? 0),
                TopP = (float)(parse.GetValue(topP) ?? 1),
                Seed = (ulong)(parse.GetValue(seed) ?? 1),
            };
            var loaded = RunLoader.Open(RunPath.Find(parse.GetRequiredValue(run)), precision: TrainingSettings.PrecisionOf(parse, precision));
            string text = parse.GetValue(prompt) ?? "";
            int[] start = text.Length > 0 ? loaded.Tokenizer.Encode(text) : TextStream.Start(loaded.Config, loaded.Tokenizer);
            using var interrupts = new Interrupts();
            Console.Write(text);
            return TextStream.Write(loaded.Model, loaded.Tokenizer, start, (int)(parse.GetValue(tokens) ?? 500), sampling, interrupts, tidy: text.Length == 0);
        });
        return command;
    }
}

using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Sfn.Cli.CommandLine;
using Sfn.Cli.Display;
using Sfn.Train;

namespace Sfn.Cli.Commands;

/// <summary><c>sfn eval</c>: the loss of a trained model on validation text.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        var run = new Argument<string>("RUN") { Description = "The name of a run under runs/, a run's folder, or one of its checkpoint files." };
        var data = new DataSettings(standard: "that of the run");
        var batches = Setting.Whole("--eval-batches", "Evaluation", "Batches of the run's size; 0 for the whole validation split.", least: 0, standard: "0");
        var precision = TrainingSettings.Precision("Evaluation", standard: "that of the run");
        var command = new HelpfulCommand("eval", "Measures a trained model on its validation split, or on other text.")
        {
            Remarks = "A text given with --data is split as in training, and its held-out part is measured; --validation FILE measures the whole of a " +
                "file. The tokenizer is the run's.",
        };
        command.Add(run);
        foreach (var option in data.Texts) command.Add(option);
        command.Add(batches);
        command.Add(precision);
        command.SetAction(parse =>
        {
            var loaded = RunLoader.Open(RunPath.Find(parse.GetRequiredValue(run)), precision: TrainingSettings.PrecisionOf(parse, precision));
            // The run's own validation file says nothing about another text.
            var config = data.Apply(parse, data.IsOther(parse) ? loaded.Config with { Validation = null } : loaded.Config);
            using var interrupts = new Interrupts();
            using var corpus = Corpus.Load(config.DataOptions() with { Existing = loaded.Tokenizer.Describe() });
            long count = parse.GetValue(batches) ?? 0;
            var windows = new EvaluationWindows(corpus.Validation, config.Context, count == 0 ? long.MaxValue : count * config.Batch);
            long began = Stopwatch.GetTimestamp();
            double loss;
            try { loss = Evaluation.Loss(loaded.Model, windows, config.Batch, interrupts.Token); }
            catch (OperationCanceledException) { return interrupts.ExitCode; }
            double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            double bits = loss / Math.Log(2) / corpus.ValidationBytesPerToken;
            long tokens = windows.Count * windows.Context;
            Console.WriteLine($"{RunPath.Short(loaded.CheckpointFile)} (step {loaded.State.Step}) on {corpus.Description}");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"loss {loss:0.0000} nats per token, {bits:0.000} bits per byte, perplexity {Math.Exp(loss):0.00}; {tokens:N0} of " +
                    $"{corpus.Validation.Count:N0} tokens, {tokens / seconds:N0} tokens/s"));
            return 0;
        });
        return command;
    }
}

using System.CommandLine;
using System.Globalization;
using Sfn.Backends.Cpu;
using Sfn.Cli.CommandLine;
using Sfn.Cli.Display;
using Sfn.Train;

namespace Sfn.Cli.Commands;

/// <summary><c>sfn train</c>: trains a transformer on a text, or goes on with a run.</summary>
internal static class TrainCommand
{
    private const int SampleTokens = 320;

    public static Command Create()
    {
        var data = new DataSettings();
        var model = new ModelSettings();
        var training = new TrainingSettings();
        var run = new RunSettings();
        var command = new HelpfulCommand("train", "Trains a transformer on a text. Without options: a small one on this machine's .NET documentation, in a few minutes.")
        {
            Remarks = "Values come from the preset (or --config), then from the other options. A configuration file takes the same names with underscores, as a run's config.json " +
                "shows, and also log_every, checkpoint_every and decay (all or matrices).\n" +
                "Ctrl-C finishes the step, writes a checkpoint and says how to resume (exit code 130); a second Ctrl-C ends at once. Bad input and too little memory have exit code 2, " +
                "a device that has failed 70; the last good checkpoint is named.",
        };
        Option[] changes = [.. data.All, .. model.All, .. training.All, .. run.All.Except([run.Resume, run.Threads])];
        foreach (var option in (Option[])[.. data.All, .. model.All, .. training.All, .. run.All]) command.Add(option);
        command.SetAction(parse =>
        {
            if (parse.GetValue(run.Resume) is { } folder)
            {
                // Anything else would make it another run.
                if (changes.FirstOrDefault(o => parse.GetResult(o) is { Implicit: false }) is { } other)
                    throw new InputError($"{other.Name} cannot be changed when a run is resumed; only --threads can. For other settings start a new run: sfn train --config {Path.Combine(folder, "config.json")} {other.Name} …");
                return Train(() => Trainer.Resume(RunPath.Find(folder)), (int?)parse.GetValue(run.Threads));
            }
            var config = RunDefaults.Base(parse, model, run);
            config = run.Apply(parse, training.Apply(parse, data.Apply(parse, model.Apply(parse, config))));
            return Train(() => new Trainer(config.Validate()), threads: null);
        });
        return command;
    }

    private static int Train(Func<Trainer> prepare, int? threads)
    {
        var view = TrainView.Create();
        using var interrupts = new Interrupts(view.Stopping);
        using var trainer = prepare();
        if (threads is { } count) CpuPool.Threads = count;
        Introduce(trainer);
        var summary = view.Show(() => trainer.Run(interrupts.Token, view));
        string path = RunPath.Short(trainer.Folder.Path);
        if (!summary.Completed)
        {
            Console.WriteLine();
            Console.WriteLine($"Stopped after step {summary.Steps} of {trainer.Config.Steps}. The checkpoint is written; go on with: {Invocation.Of("train --resume", path)}");
            return interrupts.Requested ? interrupts.ExitCode : 0;
        }
        Conclude(summary, path);
        return Sample(trainer, path, interrupts);
    }

    private static void Introduce(Trainer trainer)
    {
        var (config, corpus) = (trainer.Config, trainer.Corpus);
        long parameters = trainer.Model.Parameters.Sum(p => p.Value.Count);
        Console.WriteLine($"{trainer.Folder.Name}: {Words.Of(trainer.Model.Config)}; {Numbers.Metric(parameters)} parameters");
        Console.WriteLine($"{corpus.Description}: {Memory.Format(corpus.TrainingBytes)} of text to train on, {Memory.Format(corpus.ValidationBytes)} to validate, tokens are {corpus.Tokenizer.Name}");
        Console.WriteLine($"{config.Steps} steps of {Numbers.Count(config.TokensPerStep)} tokens on {(trainer.Model.Device == Device.Cpu ? $"cpu, {CpuPool.Threads} threads" : trainer.Model.Device.Name)}{(trainer.Step == config.Steps ? "; all are done, nothing is left to train" : trainer.Step > 0 ? $"; going on after step {trainer.Step}" : "")}");
        Console.WriteLine();
    }

    private static void Conclude(TrainSummary summary, string path)
    {
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Validation loss {summary.ValLoss:0.0000} nats per token, {summary.BitsPerByte:0.000} bits per byte" +
            $"{(summary.BestStep != summary.Steps ? $" (best {summary.BestValLoss:0.0000} at step {summary.BestStep})" : "")}."));
        Console.WriteLine($"{Numbers.Count(summary.Tokens)} tokens in {Numbers.Time(summary.Seconds)}, {Numbers.Count((long)summary.TokensPerSecond)} tokens/s, {Memory.Format(summary.PeakBytes)} at most.");
        Console.WriteLine($"The run is in {path}; loss.svg there shows its curve. More text: {Invocation.Of("generate", path)}");
    }

    private static int Sample(Trainer trainer, string path, Interrupts interrupts)
    {
        Console.WriteLine();
        Console.WriteLine("A sample:");
        Console.WriteLine();
        return TextStream.Write(trainer.Model, trainer.Corpus.Tokenizer, TextStream.Start(trainer.Config, trainer.Corpus.Tokenizer), SampleTokens,
            new() { Temperature = 0.8f, Seed = trainer.Config.Seed }, interrupts, tidy: true);
    }
}

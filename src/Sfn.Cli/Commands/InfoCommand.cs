using System.CommandLine;
using Sfn.Cli.CommandLine;
using Sfn.Cli.Display;
using Sfn.Nn;
using Sfn.Train;
using Spectre.Console;

namespace Sfn.Cli.Commands;

/// <summary><c>sfn info</c>: what a model costs, by formula; nothing is built.</summary>
internal static class InfoCommand
{
    private const string Group = "Run";

    public static Command Create()
    {
        var model = new ModelSettings();
        var tokens = Setting.Whole("--tokens", Group, "Tokens to train on; whole steps are counted. Takes 2.2e9, too.", most: long.MaxValue,
            standard: "those of the preset's steps");
        var training = new TrainingSettings();
        var json = new Switch("--json", Group, "Print one JSON object instead of a table.");
        var command = new HelpfulCommand("info", "Parameters, FLOPs and memory of a model.")
        {
            Remarks = "FLOPs count a multiply-add as two, attention in full (not halved for causality) and the backward pass as twice the forward " +
                "(arXiv 2406.16450). " +
                "The presets s to xl have the paper's vocabulary of 32,000; training takes the vocabulary of its tokenizer.",
        };
        foreach (var option in model.All) command.Add(option);
        foreach (var option in training.Sizes) command.Add(option);
        command.Add(tokens);
        command.Add(json);
        command.SetAction(parse =>
        {
            var config = training.Apply(parse, model.Apply(parse, RunDefaults.Base(parse, model))).Validate();
            var cost = new RunCost(config, parse.GetValue(tokens));
            if (parse.GetValue(json)) Console.WriteLine(CostJson.Write(config.Preset, cost));
            else Print(config.Preset, cost);
            return 0;
        });
        return command;
    }

    private static void Print(string preset, RunCost cost)
    {
        var (config, counts) = (cost.Config, cost.Counts);
        Console.WriteLine($"{preset}: {Words.Of(config)}");
        Console.WriteLine();
        var table = new Table().Border(TableBorder.Simple).AddColumn("").AddColumn(new TableColumn("").RightAligned()).AddColumn("").HideHeaders();
        Row(table, "embedding", counts.Embedding + counts.Positions,
            $"{Numbers.Count(config.VocabularySize)} tokens{(counts.Positions > 0 ? $", {Numbers.Count(config.Context)} positions" : "")}");
        if (counts.Head > 0) Row(table, "output head", counts.Head, "");
        Row(table, "attention", counts.Attention,
            $"{config.Heads} heads{(config.KeyValueHeads != config.Heads ? $", {config.KeyValueHeads} for keys and values" : "")}");
        Row(table, "feedforward", counts.FeedForward, $"{100.0 * counts.FeedForward / counts.DenseFeedForward:0.0} % of dense");
        Row(table, "norms and biases", counts.Norms + counts.Biases, "");
        Row(table, "[bold]parameters[/]", counts.Parameters,
            $"[bold]{Numbers.Millions(counts.Parameters)}[/], feedforward {Numbers.Millions(counts.FeedForward)}");
        table.AddEmptyRow();
        Row(table, "tokens per step", cost.TokensPerStep, $"{cost.Batch} × {cost.Accumulate} sequences of {config.Context}");
        Row(table, "steps", cost.Steps, "");
        Row(table, "tokens", cost.Tokens, Numbers.Metric(cost.Tokens));
        table.AddRow("FLOPs per step", Numbers.Scientific(cost.FlopsPerStep), "");
        table.AddRow("[bold]FLOPs per run[/]", $"[bold]{Numbers.Scientific(cost.FlopsPerRun)}[/]", "");
        table.AddEmptyRow();
        table.AddRow("model and optimizer", Memory.Format(cost.StateBytes),
            $"weights, gradients, two moments{(config.Numerics.Compute == DType.BF16 ? "; weights in bfloat16" : "")}");
        table.AddRow("activations", Memory.Format(cost.Bytes - cost.StateBytes), $"of {cost.Batch} sequences, with their gradients");
        table.AddRow("[bold]tensor memory[/]", $"[bold]{Memory.Format(cost.Bytes)}[/]", "estimate; the process takes 0.1 to 0.2 GB more");
        Terminal.Out.Write(table);
    }

    private static void Row(Table table, string name, long value, string note) => table.AddRow(name, Numbers.Count(value), note);
}

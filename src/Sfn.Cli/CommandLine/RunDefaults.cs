using System.CommandLine;
using Sfn.Train;

namespace Sfn.Cli.CommandLine;

/// <summary>What the command uses when nothing is given.</summary>
internal static class RunDefaults
{
    /// <summary>The preset of a run without --preset.</summary>
    public const string Preset = "tiny";

    /// <summary>The folder of all runs.</summary>
    public const string Out = "runs";

    /// <summary>The configuration that options change: that of a file or of a preset.</summary>
    public static TrainConfig Base(ParseResult parse, ModelSettings model, RunSettings? run = null)
    {
        string? preset = parse.GetValue(model.Preset), file = run is null ? null : parse.GetValue(run.Config);
        if (file is null) return Follow(TrainConfig.FromPreset(preset ?? Preset));
        if (preset is not null) throw new InputError($"--preset and --config exclude each other: {file} names every value, or its own preset");
        return Follow(TrainConfig.Load(file));
    }

    /// <summary>
    /// Takes out the values that are what they would be by default, so that they follow when an option changes what they depend on:
    /// half the steps have half the warm-up, another width has another rank. A value that someone chose stays.
    /// </summary>
    private static TrainConfig Follow(TrainConfig config)
    {
        var standard = (config with { Rank = 0, Blocks = 0, MinLearningRate = null, Warmup = null, EvalEvery = null, CheckpointEvery = null }).Resolve();
        return config with
        {
            Rank = config.Rank == standard.Rank ? 0 : config.Rank,
            Blocks = config.Blocks == standard.Blocks ? 0 : config.Blocks,
            MinLearningRate = config.MinLearningRate == standard.MinLearningRate ? null : config.MinLearningRate,
            Warmup = config.Warmup == standard.Warmup ? null : config.Warmup,
            EvalEvery = config.EvalEvery == standard.EvalEvery ? null : config.EvalEvery,
            CheckpointEvery = config.CheckpointEvery == standard.CheckpointEvery ? null : config.CheckpointEvery,
        };
    }
}

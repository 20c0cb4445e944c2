using System.CommandLine;
using Sfn.Train;

namespace Sfn.Cli.CommandLine;

/// <summary>The options of the training loop: step sizes, optimizer, evaluation.</summary>
internal sealed class TrainingSettings
{
    private const string Training = "Training", Evaluation = "Evaluation";

    private readonly Setting<long?> _batch = Setting.Whole("--batch", Training, "Sequences per micro-batch.", most: 1_000_000, preset: c => c.Batch);

    private readonly Setting<long?> _accumulate = Setting.Whole("--accumulate", Training, "Micro-batches per optimizer step.", most: 1_000_000,
        preset: c => c.Accumulate);

    private readonly Setting<string?> _precision = Precision(Training, preset: c => c.Precision.Word());

    private readonly Setting<long?> _steps = Setting.Whole("--steps", Training, "Optimizer steps.", most: long.MaxValue, preset: c => c.Steps);

    private readonly Setting<double?> _lr = Setting.Real("--lr", Training, "Peak learning rate.", x => x > 0, "above 0", preset: c => c.LearningRate);

    private readonly Setting<double?> _minLr = Setting.Real("--min-lr", Training, "Learning rate at the end of the cosine.", x => x >= 0, "of at least 0",
        standard: "a tenth of --lr");

    private readonly Setting<long?> _warmup = Setting.Whole("--warmup", Training, "Steps of linear warm-up.", least: 0, most: long.MaxValue,
        standard: "a tenth of --steps");

    private readonly Setting<double?> _weightDecay = Setting.Real("--weight-decay", Training, "AdamW's decoupled weight decay.", x => x >= 0, "of at least 0",
        preset: c => c.WeightDecay);

    private readonly Setting<double?> _beta1 = Setting.Real("--beta1", Training, "AdamW's decay rate of the first moment.", x => x is >= 0 and < 1,
        "of at least 0 and below 1", preset: c => c.Beta1);

    private readonly Setting<double?> _beta2 = Setting.Real("--beta2", Training, "AdamW's decay rate of the second moment.", x => x is >= 0 and < 1,
        "of at least 0 and below 1", preset: c => c.Beta2);

    private readonly Setting<double?> _clip = Setting.Real("--clip", Training, "Largest norm of all gradients together; 0 for no clipping.", x => x >= 0,
        "of at least 0",
        preset: c => c.Clip);

    private readonly Setting<long?> _evalEvery = Setting.Whole("--eval-every", Evaluation, "Steps between evaluations; 0 for one at the end.", least: 0,
        most: long.MaxValue,
        standard: "an eighth of --steps");

    private readonly Setting<long?> _evalBatches = Setting.Whole("--eval-batches", Evaluation, "Batches of the validation split; 0 for all of it.", least: 0,
        preset: c => c.EvalBatches);

    /// <summary>The options that say how large a step is, for commands that count.</summary>
    public IEnumerable<Option> Sizes => [_batch, _accumulate, _precision, _steps];

    /// <summary>All options in the order of the help page.</summary>
    public IEnumerable<Option> All =>
    [
        _batch, _accumulate, _precision, _steps, _lr, _minLr, _warmup, _weightDecay, _beta1, _beta2, _clip, _evalEvery, _evalBatches,
    ];

    /// <summary>The option that says what a model computes in.</summary>
    public static Setting<string?> Precision(string group, string? standard = null, Func<TrainConfig, string>? preset = null) => Setting.Choice(
        "--precision", group, "What the model computes in; its parameters stay float32.", [.. Precisions.Words], standard, preset);

    /// <summary>The precision that was given, if any.</summary>
    public static Precision? PrecisionOf(ParseResult parse, Setting<string?> option) => parse.GetValue(option) is { } word ? Precisions.Parse(word) : null;

    /// <summary>The configuration with the given options in place of its own values.</summary>
    public TrainConfig Apply(ParseResult parse, TrainConfig config) => config with
    {
        Batch = (int)(parse.GetValue(_batch) ?? config.Batch),
        Accumulate = (int)(parse.GetValue(_accumulate) ?? config.Accumulate),
        Precision = PrecisionOf(parse, _precision) ?? config.Precision,
        Steps = parse.GetValue(_steps) ?? config.Steps,
        LearningRate = (float)(parse.GetValue(_lr) ?? config.LearningRate),
        MinLearningRate = (float?)parse.GetValue(_minLr) ?? config.MinLearningRate,
        Warmup = parse.GetValue(_warmup) ?? config.Warmup,
        WeightDecay = (float)(parse.GetValue(_weightDecay) ?? config.WeightDecay),
        Beta1 = (float)(parse.GetValue(_beta1) ?? config.Beta1),
        Beta2 = (float)(parse.GetValue(_beta2) ?? config.Beta2),
        Clip = (float)(parse.GetValue(_clip) ?? config.Clip),
        EvalEvery = parse.GetValue(_evalEvery) ?? config.EvalEvery,
        EvalBatches = (int)(parse.GetValue(_evalBatches) ?? config.EvalBatches),
    };
}

using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Cli.Commands;

/// <summary>What a run of a model costs.</summary>
internal sealed class RunCost
{
    public RunCost(TransformerConfig config, long batch, long accumulate, long presetSteps, long? tokens)
    {
        (Config, Counts, Batch, Accumulate) = (config, new ModelCounts(config), batch, accumulate);
        TokensPerStep = checked(batch * accumulate * config.Context);
        Steps = tokens / TokensPerStep ?? presetSteps;
        if (Steps == 0) throw new InputError($"--tokens {tokens} is less than one step of {TokensPerStep} tokens ({batch} × {accumulate} sequences of {config.Context})");
    }

    public TransformerConfig Config { get; }

    public ModelCounts Counts { get; }

    public long Batch { get; }

    public long Accumulate { get; }

    public long TokensPerStep { get; }

    /// <summary>Whole steps: the paper's steps are its tokens divided by 512 sequences of 1,024, rounded down.</summary>
    public long Steps { get; }

    public long Tokens => checked(Steps * TokensPerStep);

    public double FlopsPerStep => Counts.TrainingFlops(Batch * Accumulate);

    public double FlopsPerRun => Counts.TrainingFlops(Batch * Accumulate, Steps);

    public long Bytes => Counts.TrainingBytes(Batch);

    public long StateBytes => 16 * Counts.Parameters;
}

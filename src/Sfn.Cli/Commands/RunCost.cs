using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Cli.Commands;

/// <summary>What a run costs.</summary>
internal sealed class RunCost
{
    private readonly TrainConfig _run;

    public RunCost(TrainConfig run, long? tokens)
    {
        _run = run;
        Config = run.Model();
        Counts = new ModelCounts(Config);
        Steps = tokens / run.TokensPerStep ?? run.Steps;
        if (Steps == 0)
            throw new InputError(
                $"--tokens {tokens} is less than one step of {run.TokensPerStep} tokens ({run.Batch} × {run.Accumulate} sequences of {run.Context}); " +
                    "lower --batch or --accumulate");
        try
        {
            Bytes = Counts.TrainingBytes(run.Batch);
            Tokens = checked(Steps * run.TokensPerStep);
        }
        catch (OverflowException error)
        {
            throw new InputError("the sizes are too large to count; lower --layers, --width, --batch or --steps", error);
        }
    }

    public TransformerConfig Config { get; }

    public ModelCounts Counts { get; }

    public string Precision => _run.Precision.Word();

    public int Batch => _run.Batch;

    public int Accumulate => _run.Accumulate;

    public long TokensPerStep => _run.TokensPerStep;

    /// <summary>Whole steps: the paper's steps are its tokens divided by 512 sequences of 1,024, rounded down.</summary>
    public long Steps { get; }

    public long Tokens { get; }

    public double FlopsPerStep => Counts.TrainingFlops(_run.SequencesPerStep);

    public double FlopsPerRun => Counts.TrainingFlops(_run.SequencesPerStep, Steps);

    public long Bytes { get; }

    public long StateBytes => Counts.StateBytes;
}

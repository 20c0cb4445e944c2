namespace Sfn.Train;

/// <summary>
/// What a checkpoint says besides its tensors. Everything else (data order, learning rate, dropout) is a pure function of these, and nothing depends on
/// time, so two runs of one configuration write the same bytes.
/// </summary>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="Config"><see cref="TrainConfig.Hash"/> of the run.</param>
/// <param name="Data">SHA-256 of the text.</param>
/// <param name="ValLoss">Last validation loss.</param>
/// <param name="BestLoss">Smallest validation loss.</param>
/// <param name="BestStep">Its step.</param>
public sealed record CheckpointState(long Step, long Tokens, ulong Seed, string Config, string Data, double? ValLoss = null, double? BestLoss = null,
    long BestStep = 0);

using System.Diagnostics;
using System.Globalization;
using Sfn.Autograd;
using Sfn.Backends.Cpu;
using Sfn.IO;
using Sfn.Nn;

namespace Sfn.Train;

/// <summary>
/// Trains a transformer on a text in a run folder: the loop of <c>sfn train</c>. Making one checks everything and takes the folder; <see cref="Run"/> trains.
/// </summary>
/// <remarks>
/// A step's batch, learning rate and dropout are pure functions of configuration and step, and nothing that depends on time enters a checkpoint: a run that
/// was stopped or killed and resumed writes the same final checkpoint, byte for byte, as one that was not.
/// <para>
/// Steps follow each other without waiting for the device. Loss and norm are read at logged steps (<see cref="TrainConfig.LogEvery"/>), and that is where a
/// loss or norm that is not finite ends the run; besides, the weights must be finite before every evaluation and every checkpoint, so that a checkpoint is
/// always a good one.
/// </para>
/// </remarks>
public sealed partial class Trainer : IDisposable
{
    private readonly BatchSampler _sampler;
    private readonly EvaluationWindows _windows, _untrained;
    private readonly MetricsLog _log;
    private readonly PeakMemory _memory;
    private readonly GraphedStep _step;
    private readonly int[] _tokens, _targets;
    private readonly double _before;
    private CheckpointState _state;
    private long _saved;

    private Trainer(TrainConfig config, RunFolder folder, Corpus corpus, bool resume)
    {
        (Config, Folder, Corpus) = (config, folder, corpus);
        try
        {
            if (config.Threads > 0) CpuPool.Threads = config.Threads;
            // What an earlier run of this process left in the cache is not this one's.
            Memory.Trim(config.DeviceOf());
            _memory = new PeakMemory(config.DeviceOf());
            StartNaming();
            Model = new Transformer(config.Model(corpus.Tokenizer.VocabularySize), config.DeviceOf(), config.Seed);
            var options = new AdamWOptions { Beta1 = config.Beta1, Beta2 = config.Beta2, WeightDecay = config.WeightDecay, Decay = config.Decay };
            Optimizer = new AdamW(Model.Parameters, options);
            // The optimizer gives back the memory that a large model lay in before, not that of a small one; and reading the text has left some.
            Memory.Reclaim(Model.Device);
            _sampler = new BatchSampler(corpus.Training, config.Context, (int)config.SequencesPerStep, config.Seed);
            long windows = config.EvalBatches == 0 ? long.MaxValue : (long)config.EvalBatches * config.Batch;
            _windows = new EvaluationWindows(corpus.Validation, config.Context, windows);
            // An untrained model is as bad everywhere: one batch shows it, and nobody waits for the first step.
            _untrained = new EvaluationWindows(corpus.Validation, config.Context, config.Batch);
            _step = new GraphedStep(Model, Optimizer, config.Batch, config.Context, config.Accumulate, config.Clip);
            _tokens = new int[config.TokensPerStep];
            _targets = new int[_tokens.Length];
            bool exists = resume && File.Exists(Folder[Checkpoint.LastFile]);
            _state = exists ? LoadCheckpoint() : new(0, 0, config.Seed, config.Hash(), corpus.Sha256);
            _saved = exists ? _state.Step : -1;
            _log = MetricsLog.Open(folder.MetricsFile, _state.Step);
            _before = _log.Entries.LastOrDefault()?.Seconds ?? 0;
        }
        catch (OutOfDeviceMemory error)
        {
            Dispose();
            throw new OutOfDeviceMemory($"{Sentence(error.Message)} " +
                Fitting(config, config.Model(corpus.Tokenizer.VocabularySize), Memory.PeakReserved(config.DeviceOf())), error);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The configuration, every default filled in.</summary>
    public TrainConfig Config { get; }

    /// <summary>The run's folder, locked until the trainer is disposed.</summary>
    public RunFolder Folder { get; }

    /// <summary>The text.</summary>
    public Corpus Corpus { get; }

    /// <summary>The model.</summary>
    public Transformer Model { get; }

    /// <summary>The optimizer.</summary>
    public AdamW Optimizer { get; }

    /// <summary>Optimizer steps done.</summary>
    public long Step => _state.Step;

    /// <summary>Trains until all steps are done or until it is cancelled; then the current step is finished and a checkpoint written.</summary>
    /// <param name="cancellation">Ends the run early; it can be resumed.</param>
    /// <param name="progress">Called after every step, on this thread if it is a plain implementation.</param>
    /// <exception cref="InputError">The loss is not finite; the last good checkpoint is named.</exception>
    /// <exception cref="OutOfDeviceMemory">The device has too little memory; the largest owners, a batch that would fit and the last good checkpoint are
    /// named. The process can go on: dispose the trainer and make another one.</exception>
    /// <exception cref="DeviceLost">The device has failed; the last good checkpoint, from which a new process can go on, is named.</exception>
    public TrainSummary Run(CancellationToken cancellation = default, IProgress<TrainProgress>? progress = null)
    {
        try
        {
            return Loop(cancellation, progress);
        }
        catch (OutOfDeviceMemory error)
        {
            throw Full(error);
        }
        catch (Exception error) when (Model.Device.Backend.Lost(error) is { } lost)
        {
            throw Lost(lost);
        }
    }

    private TrainSummary Loop(CancellationToken cancellation, IProgress<TrainProgress>? progress)
    {
        var clock = Stopwatch.StartNew();
        var now = new TrainProgress { Step = Step, Steps = Config.Steps, Tokens = _state.Tokens, ValLoss = _state.ValLoss };
        if (Step == 0)
        {
            now = Report(now with { ValLoss = Evaluation.Loss(Model, _untrained, Config.Batch), Evaluated = true }, clock, progress);
            _log.Append(new() { Step = 0, ValLoss = now.ValLoss, ValBitsPerByte = now.ValBitsPerByte, Seconds = 0 });
        }
        long lap = Stopwatch.GetTimestamp(), lapTokens = 0, resumed = Step;
        double lapSeconds = 0;
        while (Step < Config.Steps && !cancellation.IsCancellationRequested)
        {
            long step = Step;
            float rate = Config.LearningRateAt(step);
            bool last = step + 1 == Config.Steps, log = last || (step + 1) % Config.LogEvery == 0;
            _sampler.Fill(step, _tokens, _targets);
            _step.Run(_tokens, _targets, rate, Config.Seed * 0x9E3779B97F4A7C15 + (ulong)(step * Config.Accumulate));
            double loss = 0, norm = 0;
            if (log)
            {
                // Here alone the host waits for the device.
                (loss, norm) = (_step.Loss.Item(), _step.Norm.Item());
                if (!double.IsFinite(loss)) throw NotFinite($"the loss is {loss}");
                if (!double.IsFinite(norm)) throw NotFinite($"the norm of the gradients is {norm}");
            }
            StopNaming();
            _state = _state with { Step = step + 1, Tokens = _state.Tokens + Config.TokensPerStep };
            lapTokens += Config.TokensPerStep;
            lapSeconds += Stopwatch.GetElapsedTime(lap).TotalSeconds;

            bool evaluate = last || Due(Config.EvalEvery), save = last || Due(Config.CheckpointEvery);
            if (evaluate) EvaluateAndKeepBest();
            double speed = lapTokens / lapSeconds;
            if (log)
            {
                _memory.Sample();
                _log.Append(new()
                {
                    Step = Step,
                    Tokens = _state.Tokens,
                    Loss = loss,
                    BitsPerByte = Bits(loss, TrainingBytesPerToken),
                    ValLoss = evaluate ? _state.ValLoss : null,
                    ValBitsPerByte = evaluate ? Bits(_state.ValLoss, Corpus.ValidationBytesPerToken) : null,
                    // By way of its shortest digits: 0.003, not 0.00300000002607703.
                    LearningRate = double.Parse(rate.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
                    GradientNorm = norm,
                    TokensPerSecond = speed,
                    LiveBytes = Memory.Live(Model.Device),
                    PeakBytes = _memory.Peak,
                    Seconds = _before + clock.Elapsed.TotalSeconds,
                });
                (lapTokens, lapSeconds) = (0, 0);
            }
            save |= cancellation.IsCancellationRequested;
            if (save) Save();
            now = Report(now with
            {
                Step = Step,
                Tokens = _state.Tokens,
                Loss = log ? loss : now.Loss,
                BitsPerByte = log ? Bits(loss, TrainingBytesPerToken) : now.BitsPerByte,
                ValLoss = _state.ValLoss ?? now.ValLoss,
                Evaluated = evaluate,
                Saved = save,
                LearningRate = rate,
                GradientNorm = log ? norm : now.GradientNorm,
                TokensPerSecond = speed,
                Remaining = clock.Elapsed / (Step - resumed) * (Config.Steps - Step),
            }, clock, progress);
            lap = Stopwatch.GetTimestamp();
        }
        // Cancelled after the step's own check, or before the first step.
        if (_saved != Step) Save();
        return Finish();
    }

    /// <summary>The mean loss over the run's fixed validation windows, nats per token.</summary>
    public double Evaluate() => Evaluation.Loss(Model, _windows, Config.Batch);

    private void EvaluateAndKeepBest()
    {
        RequireFinite();
        double loss = Evaluate();
        if (!double.IsFinite(loss)) throw NotFinite($"the validation loss is {loss}");
        _state = _state with { ValLoss = loss };
        if (_state.BestLoss is { } best && !(loss < best)) return;
        _state = _state with { BestLoss = loss, BestStep = Step };
        Checkpoint.Save(Folder[Checkpoint.BestFile], Model.Parameters, null, _state);
    }

    private void Save()
    {
        RequireFinite();
        Checkpoint.Save(Folder[Checkpoint.LastFile], Model.Parameters, Optimizer, _state, Folder[Checkpoint.PreviousFile]);
        _saved = Step;
    }

    // The last good checkpoint must stay one: a step may have made weights infinite that no loss has shown yet.
    private void RequireFinite()
    {
        if (!Optimizer.IsFinite) throw NotFinite("the weights have left the range of float32");
    }

    private bool Due(long? every) => every > 0 && Step % every == 0;
}

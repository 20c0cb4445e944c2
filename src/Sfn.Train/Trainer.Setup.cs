using System.Security.Cryptography;
using Sfn.Backends.Cpu;
using Sfn.IO;
using Sfn.Nn;

namespace Sfn.Train;

public sealed partial class Trainer
{
    /// <summary>Starts a new run: reads the data, checks sizes and memory, makes the folder and the model.</summary>
    /// <param name="config">What to train.</param>
    /// <exception cref="InputError">Something in the configuration or the data cannot be used, or there is not enough memory; nothing has been
    /// written then.</exception>
    public Trainer(TrainConfig config) : this(Begin(config)) { }

    private Trainer((TrainConfig Config, RunFolder Folder, Corpus Corpus) run, bool resume = false) : this(run.Config, run.Folder, run.Corpus, resume) { }

    /// <summary>Goes on with a run where its last checkpoint stands; from the beginning if it has none yet.</summary>
    /// <param name="run">The run's folder.</param>
    /// <exception cref="InputError">No such run, another process uses it, or its data has changed.</exception>
    /// <exception cref="FormatError">The checkpoint is damaged or belongs to another model; nothing has been changed.</exception>
    public static Trainer Resume(string run)
    {
        var folder = RunFolder.Open(run);
        Corpus? corpus = null;
        try
        {
            var config = TrainConfig.Load(folder.ConfigFile).Validate() with { Name = folder.Name, Out = Path.GetDirectoryName(folder.Path)! };
            corpus = Corpus.Load(config.DataOptions());
            MemoryCheck.Require(config, corpus.Tokenizer.VocabularySize);
            return new Trainer((config.Resolve(), folder, corpus), resume: true);
        }
        catch
        {
            corpus?.Dispose();
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Lets go of the folder, the log and the data.</summary>
    public void Dispose()
    {
        StopNaming();
        _step?.Dispose();
        _log?.Dispose();
        Folder.Dispose();
        Corpus.Dispose();
    }

    private static (TrainConfig Config, RunFolder Folder, Corpus Corpus) Begin(TrainConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        config = config.Validate().Resolve();
        if (config.Data != global::Sfn.Train.DataOptions.SdkDocsName) config = config with { Data = Path.GetFullPath(config.Data) };
        if (config.Validation is { } file && File.Exists(file)) config = config with { Validation = Path.GetFullPath(file) };
        var corpus = Corpus.Load(config.DataOptions());
        RunFolder? folder = null;
        try
        {
            if (config.Tokenizer == "chars") config = config with { Characters = corpus.Tokenizer.Describe().Characters };
            MemoryCheck.Require(config, corpus.Tokenizer.VocabularySize);
            folder = RunFolder.Create(config.Out, config.Name, $"{config.Ffn.ToString().ToLowerInvariant()}-{config.Preset}");
            config = config with { Name = folder.Name };
            config.Save(folder.ConfigFile);
            return (config, folder, corpus);
        }
        catch
        {
            folder?.Dispose();
            corpus.Dispose();
            throw;
        }
    }

    private CheckpointState LoadCheckpoint()
    {
        string file = Folder[Checkpoint.LastFile];
        try
        {
            var state = Checkpoint.ReadState(file);
            if (state.Data != Corpus.Sha256)
            {
                throw new InputError($"{Corpus.Description} has changed since {file} was written: its SHA-256 is {Short(Corpus.Sha256)}, was {Short(state.Data)}; " +
                    "restore the text or start a new run");
            }
            return Checkpoint.Load(file, Model.Parameters, Optimizer, Config.Hash());
        }
        catch (FormatError error) when (File.Exists(Folder[Checkpoint.PreviousFile]))
        {
            string previous = Folder[Checkpoint.PreviousFile];
            throw new InputError($"{error.Message}; the one before it is {previous}: copy it over {Checkpoint.LastFile} to go on from there", error);
        }
    }

    private static string Short(string hash) => hash[..Math.Min(12, hash.Length)] + "…";

    private TrainProgress Report(TrainProgress now, System.Diagnostics.Stopwatch clock, IProgress<TrainProgress>? progress)
    {
        now = now with
        {
            ValBitsPerByte = Bits(now.ValLoss, Corpus.ValidationBytesPerToken),
            LiveBytes = Memory.Live(Model.Device),
            PeakBytes = _memory.Peak,
            Elapsed = clock.Elapsed,
        };
        progress?.Report(now);
        return now;
    }

    private double TrainingBytesPerToken => (double)Corpus.TrainingBytes / Corpus.Training.Count;

    private static double? Bits(double? nats, double bytesPerToken) => nats / Math.Log(2) / bytesPerToken;

    private TrainSummary Finish()
    {
        _memory.Sample();
        string checkpoint = Folder[Checkpoint.LastFile];
        string hash;
        using (var stream = File.OpenRead(checkpoint)) hash = Convert.ToHexStringLower(SHA256.HashData(stream));
        var counts = new ModelCounts(Model.Config);
        var summary = new TrainSummary
        {
            Name = Folder.Name,
            Completed = Step == Config.Steps,
            ValLoss = _state.ValLoss,
            BitsPerByte = Bits(_state.ValLoss, Corpus.ValidationBytesPerToken),
            BestValLoss = _state.BestLoss,
            BestStep = _state.BestStep,
            TrainLoss = _log.Entries.LastOrDefault(e => e.Loss is not null)?.Loss,
            Steps = Step,
            Tokens = _state.Tokens,
            TokensPerSecond = MedianSpeed(),
            Seconds = _log.Entries.LastOrDefault()?.Seconds ?? 0,
            PeakBytes = _memory.Peak,
            PeakTensorBytes = _memory.PeakTensors,
            PeakResidentBytes = PeakMemory.Resident(),
            Parameters = counts.Parameters,
            FeedForwardParameters = counts.FeedForward,
            Seed = Config.Seed,
            Device = Model.Device.Name,
            Precision = Config.Precision,
            Threads = CpuPool.Threads,
            Corpus = Corpus.Description,
            CorpusSha256 = Corpus.Sha256,
            Checkpoint = checkpoint,
            CheckpointSha256 = hash,
        };
        AtomicFile.WriteAllText(Folder.ChartFile, LossChart.Svg(Folder.Name, _log.Entries, $"{Corpus.Description} · {counts.Parameters:N0} parameters"));
        summary.Save(Folder.SummaryFile);
        return summary;
    }

    // The first steps compile and fill caches: the median is of those behind the fifth, or of the second half of a very short run.
    private double MedianSpeed()
    {
        double[] speeds = [.. _log.Entries.Where(e => e.TokensPerSecond is not null).Select(e => e.TokensPerSecond!.Value)];
        if (speeds.Length == 0) return 0;
        speeds = speeds[Math.Min(5, speeds.Length / 2)..];
        Array.Sort(speeds);
        return speeds.Length % 2 == 1 ? speeds[speeds.Length / 2] : (speeds[speeds.Length / 2 - 1] + speeds[speeds.Length / 2]) / 2;
    }
}

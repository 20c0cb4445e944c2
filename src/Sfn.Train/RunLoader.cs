using Sfn.IO;
using Sfn.Nn;

namespace Sfn.Train;

/// <summary>A trained model with its tokenizer and configuration.</summary>
/// <param name="Config">The run's configuration.</param>
/// <param name="Model">The model with the checkpoint's weights.</param>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="State">The step and losses of the checkpoint.</param>
/// <param name="CheckpointFile">Where the weights come from.</param>
public sealed record LoadedRun(TrainConfig Config, Transformer Model, ITokenizer Tokenizer, CheckpointState State, string CheckpointFile);

/// <summary>Opens a run folder to use its model.</summary>
public static class RunLoader
{
    /// <summary>Reads configuration and weights. Works while the run is still training: files are replaced, never changed.</summary>
    /// <param name="run">The run's folder, or one of its checkpoint files.</param>
    /// <param name="device">Where the model lives; null for the device of the configuration.</param>
    /// <param name="precision">What the model computes in; null for the precision of the run.</param>
    /// <exception cref="InputError">No such run, or it has no checkpoint yet.</exception>
    /// <exception cref="FormatError">The checkpoint is damaged or of another model.</exception>
    public static LoadedRun Open(string run, Device? device = null, Precision? precision = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(run);
        bool isFile = File.Exists(run);
        string folder = isFile ? Path.GetDirectoryName(Path.GetFullPath(run))! : run;
        if (!Directory.Exists(folder)) throw new InputError($"{run}: there is no such run folder");
        string configFile = Path.Combine(folder, "config.json");
        if (!File.Exists(configFile)) throw new InputError($"{folder} is not a run folder: it has no config.json");
        var config = TrainConfig.Load(configFile).Validate();
        string file = isFile ? run : Checkpoint.Files.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
            ?? throw new InputError($"{folder} has no checkpoint yet; train on with --resume {folder}");
        var tokenizer = config.TokenizerDescription()!.Create();
        var shape = config.Model(tokenizer.VocabularySize) with { Numerics = (precision ?? config.Precision).Numerics() };
        var model = new Transformer(shape, device ?? config.DeviceOf(), config.Seed);
        try { return new LoadedRun(config, model, tokenizer, Checkpoint.Load(file, model.Parameters, optimizer: null, config.Hash()), file); }
        catch (FormatError error)
        {
            var others = Checkpoint.Files.Select(name => Path.Combine(folder, name));
            string? other = others.FirstOrDefault(path => Path.GetFullPath(path) != Path.GetFullPath(file) && File.Exists(path));
            if (other is null) throw;
            throw new InputError($"{error.Message}; the run also has {other}", error);
        }
    }
}

using System.CommandLine;
using Sfn.Train;

namespace Sfn.Cli.CommandLine;

/// <summary>The options that say where and how a run takes place.</summary>
internal sealed class RunSettings
{
    private const string Run = "Run";

    private readonly Setting<long?> _seed = Setting.Whole("--seed", Run, "Seed of the weights, the data order and dropout.", least: 0, most: long.MaxValue,
        preset: c => (long)c.Seed);

    private readonly Setting<string?> _name = Setting.Text("--name", Run, "NAME", "Name of the run's folder.", standard: "structure, preset and a number");
    private readonly Setting<string?> _out = Setting.Text("--out", Run, "DIR", "Folder of all runs.", standard: RunDefaults.Out);

    /// <summary>CPU threads.</summary>
    public Setting<long?> Threads { get; } = Setting.Whole("--threads", Run, "CPU threads. Results do not depend on it.", most: 1024,
        standard: "all processors");

    /// <summary>The device by name.</summary>
    public Setting<string?> Device { get; } = Setting.Text("--device", Run, "NAME", "Device: best, cpu, cuda[:i], opencl[:i]; sfn devices lists them.", standard: "best");

    /// <summary>A configuration file instead of a preset.</summary>
    public Setting<string?> Config { get; } = Setting.Text("--config", Run, "FILE.json",
        "Take the configuration from a file, such as a run's config.json; other options change it.");

    /// <summary>The folder of a run to go on with.</summary>
    public Setting<string?> Resume { get; } = Setting.Text("--resume", Run, "DIR", "Go on with an interrupted run, exactly as if it had not stopped.");

    /// <summary>All options in the order of the help page.</summary>
    public IEnumerable<Option> All => [_seed, Threads, Device, Config, _name, _out, Resume];

    /// <summary>The configuration with the given options in place of its own values.</summary>
    public TrainConfig Apply(ParseResult parse, TrainConfig config) => ApplyMachine(parse, config) with
    {
        Seed = (ulong?)parse.GetValue(_seed) ?? config.Seed,
        Name = parse.GetValue(_name) ?? (parse.GetValue(Config) is null ? config.Name : null),
        Out = parse.GetValue(_out) ?? config.Out,
    };

    /// <summary>Only what may differ when a run is resumed: it does not change the run's numbers.</summary>
    public TrainConfig ApplyMachine(ParseResult parse, TrainConfig config) => config with
    {
        Threads = (int)(parse.GetValue(Threads) ?? config.Threads),
        Device = parse.GetValue(Device) ?? config.Device,
    };
}

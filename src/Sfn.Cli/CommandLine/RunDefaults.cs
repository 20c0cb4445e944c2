namespace Sfn.Cli.CommandLine;

/// <summary>What the command uses when nothing is given.</summary>
internal static class RunDefaults
{
    /// <summary>The preset of a run without --preset.</summary>
    public const string Preset = "tiny";

    /// <summary>The folder of all runs.</summary>
    public const string Out = "runs";
}

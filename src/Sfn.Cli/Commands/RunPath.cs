using Sfn.Cli.CommandLine;
using Sfn.Train;

namespace Sfn.Cli.Commands;

/// <summary>Where a run is that someone names.</summary>
internal static class RunPath
{
    /// <summary>The path itself if it exists, else the run of that name under runs/.</summary>
    /// <exception cref="InputError">There is neither.</exception>
    public static string Find(string run)
    {
        if (Directory.Exists(run) || File.Exists(run)) return run;
        string named = Path.Combine(RunDefaults.Out, run);
        if (Directory.Exists(named)) return named;
        string known = Directory.Exists(RunDefaults.Out)
            ? string.Join(", ", new DirectoryInfo(RunDefaults.Out).GetDirectories().OrderByDescending(d => d.LastWriteTimeUtc).Take(5).Select(d => d.Name))
            : "";
        throw new InputError(
            $"there is no run '{run}', neither as a path nor in " +
                $"{RunDefaults.Out}{(known.Length > 0 ? $"; the latest there: {known}" : "; sfn train makes one")}");
    }

    /// <summary>The path relative to the current folder where that is shorter to type.</summary>
    public static string Short(string path)
    {
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, path);
        return relative.StartsWith("..", StringComparison.Ordinal) ? path : relative;
    }
}

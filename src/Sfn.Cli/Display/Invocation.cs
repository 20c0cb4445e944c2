using Sfn.Cli.Commands;

namespace Sfn.Cli.Display;

/// <summary>How this program is called from where the user stands, so that a suggested command can be pasted and works.</summary>
internal static class Invocation
{
    /// <summary>For example <c>sfn generate runs/one</c>, with a path before it where sfn is not installed, as under <c>dotnet run</c>.</summary>
    public static string Of(string command, string argument) => $"{Program()} {command} {Quote(argument)}";

    private static string Program()
    {
        string process = Environment.ProcessPath ?? "sfn";
        if (!Path.GetFileNameWithoutExtension(process).Equals("sfn", StringComparison.OrdinalIgnoreCase))
            return $"dotnet {Quote(RunPath.Short(Path.Combine(AppContext.BaseDirectory, "sfn.dll")))}";
        string folder = Path.GetDirectoryName(process)!;
        bool installed = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(entry => entry.TrimEnd('/', '\\') == folder);
        if (installed) return "sfn";
        string path = RunPath.Short(process);
        return Quote(path.Contains(Path.DirectorySeparatorChar) ? path : Path.Combine(".", path));
    }

    private static string Quote(string path) => path.Contains(' ') ? $"\"{path}\"" : path;
}

using System.Diagnostics;
using System.Text;

namespace Sfn.Sdk.Tests.Cli;

/// <summary>What the command printed and returned.</summary>
internal sealed record Outcome(int Code, string Out, string Error);

/// <summary>The built <c>sfn</c> in a folder of its own, started as a child process.</summary>
public sealed class SfnCommand : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    /// <summary>The folder that commands run in; deleted at the end.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("sfn-cli-").FullName;

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>A path in the folder.</summary>
    public string this[string file] => Path.Combine(Folder, file);

    /// <summary>Writes English-looking text of a fixed seed.</summary>
    public void WriteText(string file, int sentences = 1000)
    {
        string[] words = "the a small model reads text and learns which word follows another one by one until loss falls".Split(' ');
        var random = new Random(1);
        var text = new StringBuilder();
        for (int i = 0; i < sentences; i++) text.AppendJoin(' ', Enumerable.Range(0, 8).Select(_ => words[random.Next(words.Length)])).Append(".\n");
        File.WriteAllText(this[file], text.ToString());
    }

    /// <summary>Runs the command to its end. Arguments are separated by single spaces.</summary>
    internal Outcome Run(string arguments) => Run(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>Runs the command to its end.</summary>
    /// <param name="arguments">The arguments, as they are.</param>
    /// <param name="onLine">Called with every line of standard output as it appears.</param>
    internal Outcome Run(string[] arguments, Action<Process, string>? onLine = null)
    {
        using var process = Process.Start(StartInfo(arguments))!;
        process.StandardInput.Close();
        var output = new StringBuilder();
        var error = process.StandardError.ReadToEndAsync();
        process.OutputDataReceived += (_, data) =>
        {
            if (data.Data is null) return;
            lock (output) output.Append(data.Data).Append('\n');
            onLine?.Invoke(process, data.Data);
        };
        process.BeginOutputReadLine();
        if (!process.WaitForExit(s_limit))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"sfn {string.Join(' ', arguments)} did not end within {s_limit}.\n{output}");
        }
        process.WaitForExit();
        lock (output) return new Outcome(process.ExitCode, output.ToString(), error.GetAwaiter().GetResult());
    }

    /// <summary>How to start the command with these arguments in the folder, with its output redirected.</summary>
    internal ProcessStartInfo StartInfo(string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        start.Environment["XDG_CACHE_HOME"] = this["cache"];
        start.Environment.Remove("SFN_DEBUG");
        start.ArgumentList.Add(Executable());
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        return start;
    }

    /// <summary>Sends Ctrl-C's signal, where there are signals.</summary>
    internal static void Interrupt(Process process)
    {
        using var kill = Process.Start("kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    // The command's build of the same configuration: tests/Sfn.Sdk.Tests/bin/Release/net10.0 → src/Sfn.Cli/bin/Release/net10.0.
    private static string Executable()
    {
        string tail = Path.GetRelativePath(Repository.PathOf("tests/Sfn.Sdk.Tests"), AppContext.BaseDirectory);
        return Path.Combine(Repository.PathOf("src/Sfn.Cli"), tail, "sfn.dll");
    }
}

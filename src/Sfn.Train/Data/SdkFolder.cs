using System.Globalization;
using System.Runtime.InteropServices;

namespace Sfn.Train;

/// <summary>Finds the documentation files (XML) that a .NET SDK ships with its reference assemblies.</summary>
public static class SdkFolder
{
    private const string Pack = "Microsoft.NETCore.App.Ref";

    private static readonly string[] s_usual =
    [
        "/usr/share/dotnet", "/usr/lib/dotnet", "/usr/lib64/dotnet", "/usr/local/share/dotnet", "/opt/dotnet", "/opt/homebrew/opt/dotnet/libexec",
        "/snap/dotnet-sdk/current",
    ];

    /// <summary>A documentation folder: …/packs/Microsoft.NETCore.App.Ref/VERSION/ref/netX.</summary>
    /// <param name="Path">The folder with the *.xml files.</param>
    /// <param name="Version">The pack's version, for example 10.0.12.</param>
    public sealed record Found(string Path, string Version);

    /// <summary>The newest documentation folder of this machine's .NET SDK, or null if there is none.</summary>
    public static Found? Find() => Roots().Distinct(StringComparer.Ordinal).Select(FindBelow).FirstOrDefault(f => f is not null);

    /// <summary>The newest documentation folder below one .NET root (the folder that holds "packs"), or null.</summary>
    public static Found? FindBelow(string root) => Newest(Path.Combine(root, "packs", Pack));

    private static Found? Newest(string pack)
    {
        try
        {
            if (!Directory.Exists(pack)) return null;
            foreach (string version in Directory.GetDirectories(pack).OrderByDescending(d => Order(Path.GetFileName(d))))
            {
                string reference = Path.Combine(version, "ref");
                if (!Directory.Exists(reference)) continue;
                foreach (string framework in Directory.GetDirectories(reference, "net*").OrderByDescending(d => Order(Path.GetFileName(d)[3..])))
                    if (Directory.EnumerateFiles(framework, "*.xml").Any()) return new Found(framework, Path.GetFileName(version));
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A root that cannot be read is as good as none.
        }
        return null;
    }

    // A release is newer than its previews: 10.0.0 > 10.0.0-rc.2.
    private static (Version Number, bool Release, string Label) Order(string name)
    {
        int dash = name.IndexOf('-');
        string number = dash < 0 ? name : name[..dash];
        return (System.Version.TryParse(number, out var version) ? version : new Version(0, 0), dash < 0, dash < 0 ? "" : name[dash..]);
    }

    private static IEnumerable<string> Roots()
    {
        string architecture = RuntimeInformation.ProcessArchitecture.ToString().ToUpper(CultureInfo.InvariantCulture);
        foreach (string variable in new[] { "DOTNET_ROOT", "DOTNET_ROOT_" + architecture })
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } root) yield return root;
        if (Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host && FolderOf(host) is { } hostFolder) yield return hostFolder;
        if (Environment.ProcessPath is { } process && Path.GetFileNameWithoutExtension(process) == "dotnet" && FolderOf(process) is { } here) yield return here;
        // An app host (sfn) is not dotnet itself, but its runtime lies in ROOT/shared/Microsoft.NETCore.App/VERSION.
        if (Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")) is { } runtime) yield return runtime;
        string file = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            if (Path.IsPathFullyQualified(folder) && FolderOf(Path.Combine(folder, file)) is { } onPath) yield return onPath;
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify);
        string programs = Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles, Environment.SpecialFolderOption.DoNotVerify);
        if (home.Length > 0) yield return Path.Combine(home, ".dotnet");
        if (programs.Length > 0) yield return Path.Combine(programs, "dotnet");
        foreach (string usual in s_usual) yield return usual;
    }

    // The folder of an executable after following its links, or null if there is no such file.
    private static string? FolderOf(string executable)
    {
        try
        {
            if (!File.Exists(executable)) return null;
            return Path.GetDirectoryName(File.ResolveLinkTarget(executable, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(executable));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { return null; }
    }
}

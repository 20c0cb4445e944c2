using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Sfn.Peers;

/// <summary>
/// What makes libtorch fastest on a CPU. Both must be set before the process starts, so the program starts itself again:
/// malloc that keeps big blocks instead of returning them to the system (else every large tensor is made of fresh pages), and an answer of
/// "yes" to MKL's question whether this is an Intel processor (else it takes its AVX2 path on AMD, whatever the processor can do).
/// </summary>
internal static class Strongest
{
    private const string Restarted = "SFN_PEERS_STRONGEST", IntelTest = "mkl_serv_intel_cpu_true";

    private static readonly (string Name, string Value)[] s_malloc =
    [
        ("MALLOC_MMAP_THRESHOLD_", "4294967296"), ("MALLOC_TRIM_THRESHOLD_", "17179869184"), ("MALLOC_TOP_PAD_", "67108864"),
    ];

    /// <summary>Runs this program again, set up, and returns its exit code; null if this process is that one.</summary>
    public static int? Restart(string[] args)
    {
        if (Environment.GetEnvironmentVariable(Restarted) is not null) return null;
        var start = Self(args);
        start.Environment[Restarted] = "1";
        foreach (var (name, value) in s_malloc) start.Environment[name] = value;
        if (BuildPreload() is { } library)
            start.Environment["LD_PRELOAD"] = Environment.GetEnvironmentVariable("LD_PRELOAD") is { Length: > 0 } others ? $"{library}:{others}" : library;
        using var process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>This program as a command to start.</summary>
    public static ProcessStartInfo Self(IEnumerable<string> args)
    {
        string program = Environment.ProcessPath!;
        bool host = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return new ProcessStartInfo(program, host ? [Environment.GetCommandLineArgs()[0], .. args] : args) { UseShellExecute = false };
    }

    /// <summary>Which of the two this process has.</summary>
    public static string Describe()
    {
        bool malloc = s_malloc.All(setting => Environment.GetEnvironmentVariable(setting.Name) == setting.Value);
        bool intel = NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), IntelTest, out _);
        return $"tuned malloc {(malloc ? "on" : "off")}, MKL's path for Intel processors {(intel ? "on" : "off (no C compiler: install gcc or clang as cc)")}";
    }

    // MKL asks a function of its own, which the loader binds by name: a library loaded before can answer.
    private static string? BuildPreload()
    {
        string library = Path.Combine(AppContext.BaseDirectory, "libintelcpu.so");
        if (File.Exists(library)) return library;
        try
        {
            var start = new ProcessStartInfo("cc", ["-shared", "-fPIC", "-O1", "-x", "c", "-o", library, "-"]) { RedirectStandardInput = true };
            using var compiler = Process.Start(start)!;
            compiler.StandardInput.WriteLine($"int {IntelTest}(void) {{ return 1; }}");
            compiler.StandardInput.Close();
            compiler.WaitForExit();
            return compiler.ExitCode == 0 ? library : null;
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException)
        {
            return null;
        }
    }
}

using System.Runtime.InteropServices;

namespace Sfn.Cli.Display;

/// <summary>What the machine is, as far as it can be told without a platform call.</summary>
internal static class Machine
{
    /// <summary>The processor's name, or its architecture where the name is not to be had.</summary>
    public static string Processor => Name() is { Length: > 0 } name ? name : RuntimeInformation.ProcessArchitecture.ToString();

    /// <summary>Memory this process may use: that of the machine, or of its container if that is less.</summary>
    public static long MemoryBytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    private static string? Name()
    {
        if (OperatingSystem.IsWindows()) return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        try
        {
            return File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[^1].Trim();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { return null; }
    }
}

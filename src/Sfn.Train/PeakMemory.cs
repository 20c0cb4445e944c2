using System.Diagnostics;
using System.Globalization;
using Sfn.Nn;

namespace Sfn.Train;

/// <summary>
/// The run's memory by own account: the process before the model was made, tensors at their peak, and what the garbage collector has added since.
/// </summary>
internal sealed class PeakMemory
{
    private readonly Device _device;
    private readonly long _process, _managed;

    public PeakMemory(Device device)
    {
        _device = device;
        Memory.ResetPeak(device);
        _managed = GC.GetGCMemoryInfo().TotalCommittedBytes;
        _process = Environment.WorkingSet - Memory.Live(device) - Memory.Cached(device);
        Sample();
    }

    public long Peak { get; private set; }

    /// <summary>Bytes of tensors, in use and cached, at the peak.</summary>
    public long PeakTensors => Memory.PeakReserved(_device);

    public void Sample() => Peak = Math.Max(Peak, _process + PeakTensors + Math.Max(0, GC.GetGCMemoryInfo().TotalCommittedBytes - _managed));

    /// <summary>The process' largest resident size as the operating system counts it; the present size where it does not count that.</summary>
    public static long Resident()
    {
        using var process = Process.GetCurrentProcess();
        return Math.Max(process.PeakWorkingSet64, Environment.WorkingSet);
    }
}

/// <summary>Compares what a run needs with what the machine has, before anything is allocated.</summary>
internal static class MemoryCheck
{
    /// <exception cref="InputError">The estimate exceeds the memory that is there.</exception>
    public static void Require(TrainConfig config, int vocabularySize)
    {
        long need = new ModelCounts(config.Model(vocabularySize)).TrainingBytes(config.Batch), have = Available();
        if (need <= have) return;
        throw new InputError($"the run's tensors need about {Memory.Format(need)} of memory, {Memory.Format(have)} are free; " +
            "use a smaller --batch (with --accumulate), --context, --width or --layers");
    }

    /// <summary>Bytes this process may still take: the container's or machine's limit, and on Linux what the kernel calls available.</summary>
    public static long Available()
    {
        var info = GC.GetGCMemoryInfo();
        long limit = info.TotalAvailableMemoryBytes > 0 ? info.TotalAvailableMemoryBytes : long.MaxValue;
        if (!OperatingSystem.IsLinux()) return Math.Max(0, limit - info.MemoryLoadBytes);
        limit -= Environment.WorkingSet;
        try
        {
            foreach (string line in File.ReadLines("/proc/meminfo"))
            {
                if (!line.StartsWith("MemAvailable:", StringComparison.Ordinal)) continue;
                string kilobytes = line["MemAvailable:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim();
                return long.TryParse(kilobytes, NumberStyles.None, CultureInfo.InvariantCulture, out long free) ? Math.Min(limit, 1024 * free) : limit;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Without the kernel's figure the limit has to do.
        }
        return limit;
    }
}

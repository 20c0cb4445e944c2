using Sfn.Backends;

namespace Sfn;

/// <summary>One line of a memory report.</summary>
/// <param name="Module">Path of the module that asked, empty outside of modules.</param>
/// <param name="Op">Op that asked.</param>
/// <param name="Bytes">Bytes in use.</param>
/// <param name="Blocks">Blocks in use.</param>
public readonly record struct MemoryUse(string Module, string Op, long Bytes, int Blocks);

/// <summary>What tensors hold of each device's memory, in bytes.</summary>
public static class Memory
{
    private static readonly Dictionary<(string Module, string Op), (long Bytes, int Blocks)> s_uses = [];
    private static readonly Lock s_lock = new();
    private static volatile bool s_tracking;
    private static int s_period = 1;

    /// <summary>Raised, on the finalizer thread, for memory that a scope should have freed: a Scope or Tape that was never disposed.</summary>
    public static event Action<string>? Leaked;

    /// <summary>Blocks reported through <see cref="Leaked"/> so far.</summary>
    public static int Leaks { get; private set; }

    /// <summary>Whether <see cref="Report"/> and out-of-memory errors name modules and ops. Costs about 50 ns per tensor; off by default.</summary>
    public static bool Tracking
    {
        get => s_tracking;
        set
        {
            lock (s_lock)
            {
                s_uses.Clear();
                s_period++;
                s_tracking = value;
            }
        }
    }

    /// <summary>Bytes of tensors in use on <paramref name="device"/> (default: the CPU).</summary>
    public static long Live(Device? device = null) => Of(device).LiveBytes;

    /// <summary>Largest <see cref="Live"/> since start or <see cref="ResetPeak"/>.</summary>
    public static long Peak(Device? device = null) => Of(device).PeakBytes;

    /// <summary>Bytes kept for reuse.</summary>
    public static long Cached(Device? device = null) => Of(device).CachedBytes;

    /// <summary>Largest sum of live and cached bytes.</summary>
    public static long PeakReserved(Device? device = null) => Of(device).PeakReservedBytes;

    /// <summary>How often the device itself was asked for memory.</summary>
    public static long Allocations(Device? device = null) => Of(device).Allocations;

    /// <summary>Starts a new peak measurement.</summary>
    public static void ResetPeak(Device? device = null) => Of(device).ResetPeak();

    /// <summary>Gives cached blocks back to the device.</summary>
    public static void Trim(Device? device = null) => Of(device).Trim();

    /// <summary>Memory in use by module and op, largest first. Empty unless <see cref="Tracking"/> was on when it was allocated.</summary>
    public static IReadOnlyList<MemoryUse> Report()
    {
        lock (s_lock)
        {
            return [.. s_uses.Where(u => u.Value.Blocks > 0)
                .Select(u => new MemoryUse(u.Key.Module, u.Key.Op, u.Value.Bytes, u.Value.Blocks))
                .OrderByDescending(u => u.Bytes)];
        }
    }

    /// <summary>For example <c>1.5 MB</c>, in powers of 1000.</summary>
    public static string Format(long bytes) => bytes switch
    {
        < 1000 => $"{bytes} B",
        < 1000_000 => $"{bytes / 1e3:0.#} kB",
        < 1000_000_000 => $"{bytes / 1e6:0.#} MB",
        < 1000_000_000_000 => $"{bytes / 1e9:0.##} GB",
        _ => $"{bytes / 1e12:0.##} TB",
    };

    internal static void Count(Storage storage, int sign)
    {
        if (!s_tracking) return;
        lock (s_lock)
        {
            // What was not counted when it was asked for must not be subtracted when it comes back.
            if (sign > 0) storage.CountedIn = s_period;
            else if (storage.CountedIn != s_period) return;
            var key = (storage.Module, storage.Op);
            s_uses.TryGetValue(key, out var use);
            s_uses[key] = (use.Bytes + sign * storage.Bytes, use.Blocks + sign);
        }
    }

    internal static string LargestOwners(int count)
    {
        var uses = Report();
        return uses.Count == 0
            ? "unknown (Memory.Tracking is off)"
            : string.Join(", ", uses.Take(count).Select(u => $"{(u.Module.Length > 0 ? u.Module : "no module")} {u.Op} {Format(u.Bytes)}"));
    }

    internal static void Leak(Storage storage)
    {
        Leaks++;
        Leaked?.Invoke($"{Format(storage.Bytes)} of {storage.Op} in {storage.Module} were never freed by their scope. Was a Scope or Tape not disposed?");
    }

    /// <summary>Finds dropped tensors and gives what is free back to the device: when a model has moved into flat storage or a training run begins.</summary>
    internal static void Reclaim(Device device)
    {
        CollectGarbage();
        Trim(device);
    }

    /// <summary>The one place that forces a collection, so that dropped tensors are found: also before giving up on memory.</summary>
    internal static void CollectGarbage()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    private static CachingAllocator Of(Device? device) => (device ?? Device.Cpu).Backend.Allocator;
}

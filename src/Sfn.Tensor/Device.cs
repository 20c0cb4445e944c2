using Sfn.Backends;
using Sfn.Backends.Cpu;
using Sfn.Backends.Reference;

namespace Sfn;

/// <summary>A place where tensors live and ops run.</summary>
public sealed class Device
{
    private static readonly Lock s_lock = new();
    private static readonly List<Device> s_devices = [];
    private readonly Func<Device, IBackend> _create;
    private readonly int _rank;
    private volatile IBackend? _backend;

    internal Device(string name, int rank, Func<Device, IBackend> create)
    {
        Name = name;
        _rank = rank;
        _create = create;
    }

    /// <summary>The SIMD CPU backend; always there.</summary>
    public static Device Cpu { get; } = Register("cpu", 1, d => new CpuBackend(d));

    /// <summary>Naive loops in float64 that define the meaning of every op; for checks.</summary>
    public static Device Reference { get; } = Register("reference", 0, d => new ReferenceBackend(d));

    /// <summary>The fastest registered device.</summary>
    public static Device Best
    {
        get
        {
            lock (s_lock) return s_devices.MaxBy(d => d._rank)!;
        }
    }

    /// <summary>All registered devices.</summary>
    public static IReadOnlyList<Device> All
    {
        get
        {
            lock (s_lock) return [.. s_devices];
        }
    }

    /// <summary>For example <c>cpu</c> or <c>cuda:0</c>.</summary>
    public string Name { get; }

    internal IBackend Backend
    {
        get
        {
            if (_backend is { } backend) return backend;
            lock (_create) return _backend ??= _create(this);
        }
    }

    /// <summary>What the device can do, in words.</summary>
    public string Description => Backend.Description;

    /// <summary>Makes a device known under <paramref name="name"/>; a backend's package calls this once at start-up.</summary>
    /// <param name="name">Name to choose it by.</param>
    /// <param name="rank">Preference for <see cref="Best"/>; the CPU has 1.</param>
    /// <param name="create">Makes the backend on first use.</param>
    public static Device Register(string name, int rank, Func<Device, IBackend> create)
    {
        var device = new Device(name, rank, create);
        lock (s_lock)
        {
            s_devices.RemoveAll(d => d.Name == name);
            s_devices.Add(device);
        }
        return device;
    }

    /// <summary>The device of that name; <c>best</c> is the fastest registered one, <c>cuda</c> the same as <c>cuda:0</c>.</summary>
    /// <exception cref="DeviceMismatch">It is not registered.</exception>
    public static Device Get(string name)
    {
        if (name == "best") return Best;
        lock (s_lock)
        {
            return s_devices.Find(d => d.Name == name) ?? s_devices.Find(d => d.Name == name + ":0") ?? throw new DeviceMismatch(
                $"Device '{name}' is not there. Registered: {string.Join(", ", s_devices.Select(d => d.Name))}. " +
                "A backend's package registers its devices once at start-up.");
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

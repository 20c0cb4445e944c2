using System.Diagnostics;
using global::ILGPU.Runtime;
using global::ILGPU.Runtime.Cuda;
using global::ILGPU.Runtime.OpenCL;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>
/// Measures queued work with events on a backend's stream, so that neither the host's launches nor its waiting count where the device is the slower one.
/// On devices without events (the CPU, <c>debug</c>) it is the host's clock from idle to idle.
/// </summary>
internal sealed class DeviceClock(IBackend backend)
{
    private readonly IlgpuBackend? _device = backend is IlgpuBackend { Stream: CudaStream or CLStream } device ? device : null;

    /// <summary>Whether times come from the device.</summary>
    public bool HasEvents => _device is not null;

    /// <summary>Seconds of what <paramref name="work"/> queues, run <paramref name="times"/> times; waits for it.</summary>
    public double Seconds(Action work, int times = 1)
    {
        if (_device is null) return OnHost(work, times);
        using var begin = _device.Mark();
        for (int i = 0; i < times; i++) work();
        using var end = _device.Mark();
        backend.Synchronize();
        return (end - begin).TotalSeconds;
    }

    private double OnHost(Action work, int times)
    {
        backend.Synchronize();
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < times; i++) work();
        backend.Synchronize();
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }
}

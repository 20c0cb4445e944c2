using global::ILGPU;
using global::ILGPU.Runtime;
using global::ILGPU.Runtime.Cuda;
using global::ILGPU.Runtime.OpenCL;
using Sfn.Backends.Ilgpu.Runtime;

namespace Sfn.Backends.Ilgpu;

/// <summary>
/// Makes GPUs known to the engine. Call <see cref="Register"/> once at start-up; then <c>Device.Get("cuda:0")</c>, <c>Device.Get("opencl:0")</c> and
/// <c>Device.Best</c> find them.
/// </summary>
public static class IlgpuDevices
{
    private static readonly Lock s_lock = new();
    private static bool s_registered;

    /// <summary>All devices that the drivers of this machine list, with the reason for those that cannot be used.</summary>
    public static IReadOnlyList<FoundDevice> Found => [.. Drivers.Instance.Found.Select(f => f.Facts)];

    /// <summary>
    /// Registers the usable devices: CUDA devices rank first, then GPUs by OpenCL, then the CPU. OpenCL on processors and <c>debug</c>, ILGPU's
    /// accelerator on the CPU, in which breakpoints work, are there by name only. Without drivers this does nothing but that.
    /// </summary>
    public static void Register()
    {
        lock (s_lock)
        {
            if (s_registered) return;
            s_registered = true;
            int order = 0;
            foreach (var (facts, device) in Drivers.Instance.Found)
            {
                if (facts.Obstacle is not null) continue;
                int rank = device switch
                {
                    CLDevice { DeviceType: CLDeviceType.CL_DEVICE_TYPE_CPU } => -1,
                    CLDevice => 1000 - order++,
                    _ => 2000 - order++,
                };
                Device.Register(facts.Name, rank, self => Create(self, Drivers.Instance.Create(device)));
            }
            Device.Register("debug", -2, self => Create(self, Drivers.Instance.CreateDebug()));
        }
    }

    /// <summary>A second device on the same hardware, whose kernels are compiled with less optimization.</summary>
    internal static Device RegisterLessOptimized(string name) =>
        Device.Register($"{name}-o1", -3, self => Create(self, Drivers.Instance.Create(Hardware(name)), OptimizationLevel.O1));

    /// <summary>A second device on the same hardware, with the required methods alone, so that the composed forms of all ops run.</summary>
    internal static Device RegisterPlain(string name) =>
        Device.Register($"{name}-plain", -3, self => new IlgpuBackend(self, Drivers.Instance.Create(Hardware(name))));

    private static global::ILGPU.Runtime.Device Hardware(string name) =>
        Drivers.Instance.Found.First(f => f.Facts.Obstacle is null && f.Facts.Name == name).Device;

    /// <summary>The names of all kernels that a device has compiled, as they are compiled.</summary>
    internal static void Watch(Device device, Action<string> compiled) => ((IlgpuBackend)device.Backend).Compiler.Compiled = compiled;

    internal static IlgpuBackend Create(Device device, Accelerator accelerator, OptimizationLevel level = OptimizationLevel.O2) =>
        accelerator is CudaAccelerator cuda && CudaBackend.Fits(cuda) ? new CudaBackend(device, cuda, level) : new FusedIlgpuBackend(device, accelerator, level);
}

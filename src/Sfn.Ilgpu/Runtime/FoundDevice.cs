using global::ILGPU.Runtime.Cuda;
using global::ILGPU.Runtime.OpenCL;

namespace Sfn.Backends.Ilgpu;

/// <summary>A device that a driver lists, and whether the engine can use it.</summary>
/// <param name="Name">The name to choose it by, for example <c>cuda:0</c>; for a device that is not used, the driver's name for it.</param>
/// <param name="Hardware">What the driver calls it.</param>
/// <param name="Driver">Driver and version.</param>
/// <param name="MemoryBytes">Its memory.</param>
/// <param name="Capabilities">What the engine can do with it, in words.</param>
/// <param name="Obstacle">Why it is not used; null if it is.</param>
public sealed record FoundDevice(string Name, string Hardware, string Driver, long MemoryBytes, string Capabilities, string? Obstacle)
{
    internal static FoundDevice Of(string name, CudaDevice device) => new(name, device.Name, $"CUDA {Version(device)}", device.MemorySize,
        $"sm_{device.Architecture?.Major}{device.Architecture?.Minor}, {device.NumMultiprocessors} multiprocessors", CudaObstacle(device));

    internal static FoundDevice Of(string name, CLDevice device) => new(name, device.Name, $"{device.PlatformName}, {device.DeviceVersion}", device.MemorySize,
        $"{device.NumMultiprocessors} compute units{(device.Capabilities.Float64 ? "" : ", no float64")}", OpenClObstacle(device));

    // ILGPU's own rule for OpenCL devices, in words.
    private static string? OpenClObstacle(CLDevice device)
    {
        if (device.DeviceVersion < CLDeviceVersion.CL20) return $"it speaks {device.DeviceVersion}; kernels need OpenCL 2.0";
        if (device.Capabilities.GenericAddressSpace) return null;
        return device.Vendor == CLDeviceVendor.Nvidia
            ? "NVIDIA's OpenCL has no generic address space, which kernels need; use the card as a cuda device"
            : "its driver has no generic address space, which kernels need";
    }

    private static string? CudaObstacle(CudaDevice device) => device.Architecture is null
        ? "its architecture is unknown to ILGPU"
        : device.Architecture.Value < CudaArchitecture.SM_50 ? $"{device.Architecture} is too old; kernels need sm_50" : null;

    private static string Version(CudaDevice device) => device.DriverVersion.ToString();
}

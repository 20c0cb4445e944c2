using System.Runtime.CompilerServices;
using global::Sfn.Backends.Ilgpu;

namespace Sfn.Tests.Gpu;

/// <summary>
/// Which device is under test: the CPU, or the one that the environment variable SFN_TEST_DEVICE names, for example <c>opencl:0</c>. With
/// SFN_TEST_KERNELS=o1 its kernels are compiled with less optimization, with SFN_TEST_KERNELS=plain it has the required methods alone. CUDA kernels run in
/// the emulator if the driver that the process finds is the emulated one.
/// </summary>
internal static class TestDevices
{
    public const string Variable = "SFN_TEST_DEVICE", Kernels = "SFN_TEST_KERNELS";

    /// <summary>The device under test.</summary>
    public static Device Device { get; private set; } = Device.Cpu;

    /// <summary>The device besides the CPU, or null.</summary>
    public static Device? Extra => Device == Device.Cpu ? null : Device;

    // Before any test or test data asks for devices.
    [ModuleInitializer]
    internal static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } name) return;
        global::Sfn.CudaEmulator.CudaEmulator.Install();
        IlgpuDevices.Register();
        Device = Device.Get(name);
        switch (Environment.GetEnvironmentVariable(Kernels))
        {
            case null or "": break;
            case "o1": Device = IlgpuDevices.RegisterLessOptimized(Device.Name); break;
            case "plain": Device = IlgpuDevices.RegisterPlain(Device.Name); break;
            case var other: throw new InvalidOperationException($"{Kernels}={other}: there is o1 and plain.");
        }
    }
}

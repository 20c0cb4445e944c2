using System.Runtime.CompilerServices;
using global::Sfn.Backends.Ilgpu;

namespace Sfn.Tests.Gpu;

/// <summary>
/// Which devices the tests run on: the CPU, and the one that the environment variable SFN_TEST_DEVICE names, for example <c>opencl:0</c>. CUDA kernels run in
/// the emulator if the driver that the process finds is the emulated one.
/// </summary>
internal static class TestDevices
{
    public const string Variable = "SFN_TEST_DEVICE";

    /// <summary>The device besides the CPU, or null.</summary>
    public static Device? Extra { get; private set; }

    // Before any test or test data asks for devices.
    [ModuleInitializer]
    internal static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } name) return;
        global::Sfn.CudaEmulator.CudaEmulator.Install();
        IlgpuDevices.Register();
        Extra = Device.Get(name);
    }
}

using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// Kernels given as PTX text, loaded once per context on first use. Launches go through the driver's own entry points: arguments are one struct,
/// nothing is allocated.
/// </summary>
/// <remarks>The context must be current on the calling thread (ILGPU's <c>accelerator.Bind()</c>).</remarks>
internal sealed partial class CudaModule : IDisposable
{
    private const int MaxDynamicSharedBytes = 8, LocalBytes = 3, Registers = 4;
    private readonly ConcurrentDictionary<string, nint> _functions = [];
    private readonly List<nint> _modules = [];
    private readonly Lock _loading = new();

    /// <summary>The function of the kernel called <paramref name="name"/>, which <paramref name="text"/> gives if it is not loaded yet.</summary>
    /// <param name="name">Entry point.</param>
    /// <param name="text">Makes the PTX text; it must depend on the name alone.</param>
    /// <param name="sharedBytes">Dynamic shared memory of its launches; more than 48 KiB must be asked for.</param>
    public nint Function(string name, Func<string> text, int sharedBytes)
    {
        if (_functions.TryGetValue(name, out nint known)) return known;
        lock (_loading)
        {
            if (_functions.TryGetValue(name, out known)) return known;
            var api = CudaAPI.CurrentAPI;
            var error = api.LoadModule(out nint module, text(), out string? log);
            if (error != CudaError.CUDA_SUCCESS)
                throw new InvalidOperationException($"The driver refused kernel {name} ({error}): {log}. A driver for CUDA 12 or later accepts it.");
            _modules.Add(module);
            Check(api.GetModuleFunction(out nint function, module, name), name, "was not found in its module");
            if (sharedBytes > 48 * 1024)
                Check((CudaError)SetAttribute(function, MaxDynamicSharedBytes, sharedBytes), name, $"cannot have {sharedBytes} bytes of shared memory");
            _functions[name] = function;
            return function;
        }
    }

    /// <summary>Registers per thread and bytes of thread-local memory, as the driver compiled a loaded kernel.</summary>
    public static (int Registers, int LocalBytes) Resources(nint function)
    {
        Check((CudaError)GetAttribute(out int registers, Registers, function), "", "does not tell its registers");
        Check((CudaError)GetAttribute(out int local, LocalBytes, function), "", "does not tell its local memory");
        return (registers, local);
    }

    /// <summary>Queues a launch whose only argument is the struct at <paramref name="parameter"/>, which is copied before this returns.</summary>
    public static unsafe void Start(nint function, in Launch launch, nint stream, void* parameter, string name)
    {
        void** arguments = stackalloc void*[] { parameter };
        Check(CudaAPI.CurrentAPI.LaunchKernel(function, (int)launch.GridX, (int)launch.GridY, 1, launch.Threads, 1, 1, launch.SharedBytes, stream,
            (nint)arguments, 0), name, $"cannot be launched as {launch}");
    }

    /// <summary>Unloads all modules.</summary>
    public void Dispose()
    {
        foreach (nint module in _modules) CudaAPI.CurrentAPI.DestroyModule(module);
        _modules.Clear();
        _functions.Clear();
    }

    private static void Check(CudaError error, string name, string what)
    {
        if (error != CudaError.CUDA_SUCCESS) throw new CudaException($"Kernel {name} {what}: {error}.");
    }

    [LibraryImport("cuda", EntryPoint = "cuFuncSetAttribute")]
    private static partial int SetAttribute(nint function, int attribute, int value);

    [LibraryImport("cuda", EntryPoint = "cuFuncGetAttribute")]
    private static partial int GetAttribute(out int value, int attribute, nint function);
}

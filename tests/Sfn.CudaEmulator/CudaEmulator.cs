using System.Runtime.InteropServices;

namespace Sfn.CudaEmulator;

/// <summary>
/// Lets the emulated driver (<c>driver/</c>, built by <c>eng/build-cuda-stub</c>) execute kernels: the process's libcuda must be that one, for example
/// by LD_LIBRARY_PATH.
/// </summary>
public static unsafe class CudaEmulator
{
    private const int InvalidPtx = 218, NotFound = 500, IllegalAddress = 700, MisalignedAddress = 716, LaunchFailed = 719, InvalidValue = 1;
    private static readonly Lock s_lock = new();
    private static nint s_library;
    private static long s_generation = -1;
    private static MemoryMap s_memory = new([]);
    private static long s_instructions;

    /// <summary>Whether kernels are being executed by the emulator in this process.</summary>
    public static bool IsInstalled => s_library != 0;

    /// <summary>What the last kernel or text that failed did; empty if none has.</summary>
    public static string LastFault { get; private set; } = "";

    /// <summary>Instructions executed so far, each counted once per thread.</summary>
    public static long Instructions => Interlocked.Read(ref s_instructions);

    /// <summary>Installs the interpreter if the driver that this process finds is the emulated one.</summary>
    /// <returns>False if there is no driver, or a real one.</returns>
    public static bool Install()
    {
        lock (s_lock)
        {
            if (IsInstalled) return true;
            if (!NativeLibrary.TryLoad("libcuda.so.1", out nint library) || !NativeLibrary.TryGetExport(library, "stub_set_callbacks", out nint set)) return false;
            s_library = library;
            delegate* unmanaged<byte*, nint*, int> load = &Load;
            delegate* unmanaged<nint, void> unload = &Unload;
            delegate* unmanaged<nint, byte*, NativeFunction*, int> function = &Function;
            delegate* unmanaged<NativeLaunch*, int> launch = &Launch;
            ((delegate* unmanaged<void*, void*, void*, void*, void>)set)(load, unload, function, launch);
            return true;
        }
    }

    /// <summary>What the driver has counted since it was loaded or reset.</summary>
    public static (long Launches, long Allocations, long Frees, long Synchronizations, long GraphLaunches) Counters =>
        (Count("stub_launches"), Count("stub_allocations"), Count("stub_frees"), Count("stub_synchronizations"), Count("stub_graph_launches"));

    /// <summary>Lets the launch after the next <paramref name="launches"/> fail, and everything after it.</summary>
    /// <param name="launches">Launches that still succeed; negative: none fails.</param>
    /// <param name="error">A CUresult, such as 700 or 719.</param>
    public static void FailAfter(long launches, int error) => ((delegate* unmanaged<long, int, void>)Export("stub_fail_after"))(launches, error);

    /// <summary>Forgets errors and counts.</summary>
    public static void Reset() => ((delegate* unmanaged<void>)Export("stub_reset"))();

    private static long Count(string name) => ((delegate* unmanaged<long>)Export(name))();

    private static nint Export(string name) => IsInstalled
        ? NativeLibrary.GetExport(s_library, name)
        : throw new InvalidOperationException("The emulated CUDA driver is not loaded: build it with eng/build-cuda-stub and set LD_LIBRARY_PATH, then call Install.");

    [UnmanagedCallersOnly]
    private static int Load(byte* text, nint* module)
    {
        try
        {
            *module = GCHandle.ToIntPtr(GCHandle.Alloc(PtxModule.Load(Marshal.PtrToStringUTF8((nint)text)!)));
            return 0;
        }
        catch (Exception e)
        {
            return Report(e, InvalidPtx);
        }
    }

    [UnmanagedCallersOnly]
    private static void Unload(nint module)
    {
        if (module != 0) GCHandle.FromIntPtr(module).Free();
    }

    [UnmanagedCallersOnly]
    private static int Function(nint module, byte* name, NativeFunction* function)
    {
        try
        {
            var found = (PtxModule)GCHandle.FromIntPtr(module).Target!;
            string wanted = Marshal.PtrToStringUTF8((nint)name)!;
            if (!found.Kernels.TryGetValue(wanted, out var kernel)) return NotFound;
            if (kernel.Parameters.Count > NativeFunction.MaxParameters)
                throw new PtxRejectedException(0, $"kernel {wanted} has {kernel.Parameters.Count} parameters, more than {NativeFunction.MaxParameters}");
            // Functions live as long as the process: their number is that of the kernels.
            function->Kernel = GCHandle.ToIntPtr(GCHandle.Alloc(kernel));
            function->Count = kernel.Parameters.Count;
            for (int i = 0; i < kernel.Parameters.Count; i++) (function->Offsets[i], function->Sizes[i]) = kernel.Parameters[i];
            (function->Bytes, function->SharedBytes, function->LocalBytes) = (kernel.ParameterBytes, kernel.SharedBytes, kernel.LocalBytes);
            function->MaxThreads = kernel.MaxThreads;
            return 0;
        }
        catch (Exception e)
        {
            return Report(e, InvalidPtx);
        }
    }

    [UnmanagedCallersOnly]
    private static int Launch(NativeLaunch* launch)
    {
        try
        {
            var kernel = (PtxKernel)GCHandle.FromIntPtr(launch->Function->Kernel).Target!;
            var shape = new LaunchShape((uint)launch->Grid[0], launch->Grid[1], launch->Grid[2], launch->Block[0], launch->Block[1], launch->Block[2],
                launch->DynamicShared);
            var report = kernel.Launch(shape, new ReadOnlySpan<byte>((void*)launch->Parameters, kernel.ParameterBytes), Memory());
            Interlocked.Add(ref s_instructions, report.Instructions);
            return 0;
        }
        catch (PtxFaultException e)
        {
            return Report(e, e.Kind switch
            {
                PtxFaultKind.IllegalAddress => IllegalAddress,
                PtxFaultKind.MisalignedAddress => MisalignedAddress,
                PtxFaultKind.BadLaunch => InvalidValue,
                _ => LaunchFailed,
            });
        }
        catch (Exception e)
        {
            return Report(e, LaunchFailed);
        }
    }

    private static MemoryMap Memory()
    {
        lock (s_lock)
        {
            long generation = Count("stub_generation");
            if (generation == s_generation) return s_memory;
            var ranges = (delegate* unmanaged<ulong*, long, long>)Export("stub_ranges");
            ulong[] pairs = [];
            long count;
            while ((count = Ranges()) > pairs.Length / 2) pairs = new ulong[4 * count];
            s_memory = new(Enumerable.Range(0, (int)count).Select(i => (pairs[2 * i], pairs[2 * i + 1])));
            s_generation = generation;
            return s_memory;

            long Ranges()
            {
                fixed (ulong* p = pairs) return ranges(p, pairs.Length / 2);
            }
        }
    }

    // An exception cannot pass through native code: it becomes a CUresult, and its message the text of the error.
    private static int Report(Exception e, int error)
    {
        LastFault = e is PtxFaultException or PtxRejectedException ? e.Message : e.ToString();
        byte[] text = System.Text.Encoding.UTF8.GetBytes(LastFault + "\0");
        fixed (byte* p = text) ((delegate* unmanaged<byte*, void>)Export("stub_set_message"))(p);
        return error;
    }

    // As in driver/driver.h; native code fills them.
#pragma warning disable CS0649
    private struct NativeFunction
    {
        public const int MaxParameters = 512;

        public nint Name, Kernel;
        public int Count;
        public fixed int Offsets[MaxParameters];
        public fixed int Sizes[MaxParameters];
        public int Bytes, SharedBytes, LocalBytes, MaxThreads, MaxDynamicShared;
    }

    private struct NativeLaunch
    {
        public NativeFunction* Function;
        public fixed int Grid[3];
        public fixed int Block[3];
        public int DynamicShared;
        public nint Parameters;
    }
#pragma warning restore CS0649
}

using System.Reflection;
using System.Runtime.InteropServices;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>
/// Finds the drivers' libraries. ILGPU asks for "cuda" and "OpenCL", which most systems have only under a versioned name: libcuda.so.1 and
/// libOpenCL.so.1 come with the driver, the plain names only with the development packages.
/// </summary>
internal static class NativeLibraries
{
    private static readonly Lock s_lock = new();
    private static bool s_installed;

    /// <summary>Installs the search for both assemblies that call drivers; before the first context is made.</summary>
    public static void Install()
    {
        lock (s_lock)
        {
            if (s_installed) return;
            s_installed = true;
            foreach (var assembly in new[] { typeof(global::ILGPU.Context).Assembly, typeof(NativeLibraries).Assembly })
            {
                // ILGPU installs a search of its own on some systems; a second one is refused, and then its own is right.
                try { NativeLibrary.SetDllImportResolver(assembly, Resolve); }
                catch (InvalidOperationException) { }
            }
        }
    }

    /// <summary>Whether the driver of that name ("cuda" or "OpenCL") can be loaded.</summary>
    public static bool Exists(string name) => Resolve(name, typeof(NativeLibraries).Assembly, null) != 0;

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        string[] candidates = name switch
        {
            "cuda" => ["libcuda.so.1", "libcuda.so", "nvcuda"],
            "OpenCL" => ["libOpenCL.so.1", "libOpenCL.so", "OpenCL"],
            _ => [],
        };
        foreach (string candidate in candidates)
            if (NativeLibrary.TryLoad(candidate, out nint handle)) return handle;
        return 0;
    }
}

using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Sfn.Peers;

/// <summary>
/// Loads TorchSharp's native library before TorchSharp does. Release 0.107.0 is linked against gcc 13's libstdc++ for one symbol that it
/// never calls (std::ios_base_library_init, which only says "the streams are initialized by the library"), so on Debian 12 and other
/// systems of that age the loader refuses it. There the copy in the output folder is changed so that the symbol may be missing.
/// </summary>
internal static partial class NativeTorch
{
    /// <summary>Null, or why the library cannot be used and what to do.</summary>
    public static string? Load()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return $"Sfn.Peers comes with libtorch for Linux on x64; this is {RuntimeInformation.RuntimeIdentifier}. " +
                "Reference the libtorch-cpu package of this system in bench/Sfn.Peers/Sfn.Peers.csproj instead.";
        string[] folders = [AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native")];
        string? library = folders.Select(folder => Path.Combine(folder, "libLibTorchSharp.so")).FirstOrDefault(File.Exists);
        if (library is null) return $"libLibTorchSharp.so is in none of {string.Join(", ", folders)}. Build again: dotnet build bench/Sfn.Peers -c Release.";
        try
        {
            if (Try(library) is not { } refused) return null;
            // The loader stops at the first version that it misses, so there is one round for each.
            while (MissingVersion().Match(refused) is { Success: true } missing && ElfNeed.MakeOptional(library, missing.Groups[1].Value))
                if (Try(library) is { } next) refused = next;
                else return null;
            return $"TorchSharp's native library does not load: {refused}\n" +
                "Its libraries lie beside it and come from the packages TorchSharp and libtorch-cpu-linux-x64; the system gives libstdc++ (of gcc 13 or later), " +
                "libgcc_s and glibc 2.28 or later. Install what the message names, or build again if a file is damaged.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return $"TorchSharp's native library needs a newer libstdc++ than this system has, and {library} could not be changed to do without: {e.Message} " +
                "Build into a folder that can be written, or install the libstdc++ of gcc 13 or later.";
        }
    }

    private static string? Try(string library)
    {
        try
        {
            NativeLibrary.Load(library);
            return null;
        }
        catch (DllNotFoundException e)
        {
            return e.Message;
        }
    }

    [GeneratedRegex(@"version [`'](GLIBCXX_[\d.]+)' not found")]
    private static partial Regex MissingVersion();
}

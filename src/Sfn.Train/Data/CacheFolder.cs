using Sfn.IO;

namespace Sfn.Train;

/// <summary>Where Sfn keeps what it can always make again: extracted texts and token files.</summary>
public static class CacheFolder
{
    /// <summary>
    /// XDG_CACHE_HOME/sfn if that variable is set, else LocalApplicationData/sfn, else a folder for temporary files. Created if it is missing.
    /// </summary>
    public static string Default()
    {
        string? xdg = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        string local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        foreach (string? root in new[] { xdg, local, Path.GetTempPath() })
        {
            if (string.IsNullOrEmpty(root) || !Path.IsPathFullyQualified(root)) continue;
            string folder = Path.Combine(root, "sfn");
            try
            {
                Directory.CreateDirectory(folder);
                string probe = Path.Combine(folder, $".probe-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}");
                File.WriteAllBytes(probe, []);
                File.Delete(probe);
                return folder;
            }
            catch (Exception error) when (error is IOException && !DiskFullError.Is((IOException)error) || error is UnauthorizedAccessException)
            {
                // A read-only home is common in containers: try the next place.
            }
        }
        throw new InputError("no folder for cached data can be written; set XDG_CACHE_HOME to one that can");
    }
}

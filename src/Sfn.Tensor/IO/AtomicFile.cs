using System.Diagnostics;
using System.Globalization;

namespace Sfn.IO;

/// <summary>
/// Replaces a file so that a reader, or a process killed at any moment, finds either the old content or the new one, never a mixture.
/// </summary>
/// <remarks>
/// Temporary file in the same folder, flush to the device, rename over. The rename itself is atomic; .NET cannot open a directory to flush it, so after
/// a power cut (not after a crash of the process) the file system may still show the old name, with the old and complete content.
/// </remarks>
public static class AtomicFile
{
    private static int s_counter;

    /// <summary>Writes <paramref name="path"/> by <paramref name="write"/>; on any error the old file stays and no temporary file is left.</summary>
    /// <param name="path">The file to create or replace. Its folder must exist.</param>
    /// <param name="write">Writes the whole content to a seekable stream.</param>
    /// <param name="backup">If not null, the old file is kept under this name (a second name of the same file, so nothing is copied).</param>
    /// <exception cref="DiskFullError">The volume is full.</exception>
    /// <exception cref="IOException">Any other I/O error.</exception>
    public static void Write(string path, Action<Stream> write, string? backup = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        path = Path.GetFullPath(path);
        DeleteLeftovers(path);
        string temporary = string.Create(CultureInfo.InvariantCulture, $"{path}.{Environment.ProcessId}-{Interlocked.Increment(ref s_counter)}.tmp");
        long written = 0;
        FileStream? stream = null;
        try
        {
            stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16);
            write(stream);
            written = stream.Length;
            stream.Flush(flushToDisk: true);
            stream.Dispose();
            // Replace makes the old file's second name first and renames over then: path always names a complete file.
            if (backup is not null && File.Exists(path)) File.Replace(temporary, path, backup);
            else File.Move(temporary, path, overwrite: true);
        }
        catch (Exception error)
        {
            written = Math.Max(written, LengthOf(temporary));
            Abandon(stream, temporary);
            if (error is IOException io && DiskFullError.Is(io)) throw new DiskFullError(path, written, io);
            throw;
        }
    }

    /// <summary>Writes bytes; see <see cref="Write(string, Action{Stream}, string?)"/>.</summary>
    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <summary>Writes UTF-8 text without a byte-order mark; see <see cref="Write(string, Action{Stream}, string?)"/>.</summary>
    public static void WriteAllText(string path, string text) => WriteAllBytes(path, System.Text.Encoding.UTF8.GetBytes(text));

    private static void Abandon(FileStream? stream, string temporary)
    {
        // Disposing flushes the buffer once more, which fails again on a full disk: the first error is the one to report.
        try { stream?.Dispose(); } catch (IOException) { }
        if (stream is null) return;
        try { File.Delete(temporary); } catch (IOException) { } catch (UnauthorizedAccessException) { }
    }

    private static long LengthOf(string file)
    {
        try { return new FileInfo(file) is { Exists: true } info ? info.Length : 0; }
        catch (IOException) { return 0; }
    }

    // A killed process leaves its temporary file behind. It is ours to delete when that process is gone and nobody holds the file.
    private static void DeleteLeftovers(string path)
    {
        string? folder = Path.GetDirectoryName(path);
        if (folder is null || !Directory.Exists(folder)) return;
        string prefix = Path.GetFileName(path) + ".";
        foreach (string candidate in Directory.EnumerateFiles(folder, "*.tmp"))
        {
            string name = Path.GetFileName(candidate);
            if (!name.StartsWith(prefix, StringComparison.Ordinal)) continue;
            ReadOnlySpan<char> owner = name.AsSpan(prefix.Length, name.Length - prefix.Length - ".tmp".Length);
            int dash = owner.IndexOf('-');
            if (dash <= 0 || !int.TryParse(owner[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out int process)) continue;
            if (!int.TryParse(owner[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out _) || IsAlive(process)) continue;
            try
            {
                using (new FileStream(candidate, FileMode.Open, FileAccess.ReadWrite, FileShare.None)) { }
                File.Delete(candidate);
            }
            catch (IOException) { }
            catch (UnauthorizedAccessException) { }
        }
    }

    private static bool IsAlive(int process)
    {
        if (process == Environment.ProcessId) return true;
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException) { return false; }
        catch (Exception error) when (error is InvalidOperationException or System.ComponentModel.Win32Exception) { return true; }
    }
}

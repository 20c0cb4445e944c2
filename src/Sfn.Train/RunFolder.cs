using System.Globalization;
using Sfn.IO;

namespace Sfn.Train;

/// <summary>
/// The folder of one run: checkpoints, config.json, metrics.jsonl, summary.json, loss.svg. While it is open no other process can open it.
/// </summary>
/// <remarks>
/// The lock is the operating system's lock on the file ".lock": it ends with the process, however that ends, so a lock left by a killed process is
/// taken over at once. The empty file itself stays: deleting it could let two processes hold "the" lock.
/// </remarks>
public sealed class RunFolder : IDisposable
{
    private readonly FileStream _lock;

    private RunFolder(string path, FileStream held)
    {
        Path = path;
        _lock = held;
    }

    /// <summary>The folder's full path.</summary>
    public string Path { get; }

    /// <summary>The run's name: the folder's.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>config.json: everything needed to run again.</summary>
    public string ConfigFile => this["config.json"];

    /// <summary>metrics.jsonl: one object per logged step.</summary>
    public string MetricsFile => this["metrics.jsonl"];

    /// <summary>summary.json: the run's result.</summary>
    public string SummaryFile => this["summary.json"];

    /// <summary>loss.svg: the loss curves.</summary>
    public string ChartFile => this["loss.svg"];

    /// <summary>A file of the folder.</summary>
    public string this[string file] => System.IO.Path.Combine(Path, file);

    /// <summary>Makes a new run folder and locks it.</summary>
    /// <param name="root">The folder of all runs, for example "runs"; made if it is missing.</param>
    /// <param name="name">The run's name, or null to make one from <paramref name="stem"/>: "lowrank-tiny-1", "lowrank-tiny-2", ….</param>
    /// <param name="stem">What a made name begins with.</param>
    /// <exception cref="InputError">The name is taken or not usable, or the folder cannot be written.</exception>
    public static RunFolder Create(string root, string? name, string stem = "run")
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        if (name is not null)
        {
            if (name.Length is 0 or > 100 || name is "." or ".." || name.IndexOfAny(System.IO.Path.GetInvalidFileNameChars()) >= 0)
                throw new InputError($"'{name}' cannot be the name of a folder; use letters, digits and dashes (--name)");
            var folder = Lock(MakeFolder(System.IO.Path.Combine(root, name)));
            // What a process killed while it began a run leaves, the lock and an unfinished file, is no run.
            if (Directory.EnumerateFileSystemEntries(folder.Path).All(entry => System.IO.Path.GetFileName(entry) is ".lock"
                || entry.EndsWith(".tmp", StringComparison.Ordinal)))
                return folder;
            folder.Dispose();
            throw new InputError($"{folder.Path} holds a run already; resume it with --resume {folder.Path} or give another --name");
        }
        MakeFolder(root);
        for (int number = 1 + LastNumber(root, stem); ; number++)
        {
            string path = System.IO.Path.Combine(root, string.Create(CultureInfo.InvariantCulture, $"{stem}-{number}"));
            // Two commands started at once may want the same number: the loser of the lock takes the next.
            if (Directory.Exists(path)) continue;
            if (TryLock(MakeFolder(path), out var folder)) return folder;
        }
    }

    /// <summary>Opens and locks the folder of an existing run, to resume it.</summary>
    /// <exception cref="InputError">There is no such run, or another process uses it.</exception>
    public static RunFolder Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path)) throw new InputError($"{path}: there is no such run folder");
        if (!File.Exists(System.IO.Path.Combine(path, "config.json"))) throw new InputError($"{path} is not a run folder: it has no config.json");
        return Lock(path);
    }

    /// <summary>Lets go of the lock.</summary>
    public void Dispose() => _lock.Dispose();

    private static RunFolder Lock(string path) => TryLock(path, out var folder)
        ? folder
        : throw new InputError(
            $"{System.IO.Path.GetFullPath(path)} is in use by another sfn process; wait for it, stop it, or use another run folder (--name)");

    private static bool TryLock(string path, out RunFolder folder)
    {
        folder = null!;
        string file = System.IO.Path.Combine(path, ".lock");
        FileStream? held = null;
        try
        {
            held = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1);
            folder = new RunFolder(System.IO.Path.GetFullPath(path), held);
            return true;
        }
        catch (IOException error) when (held is null && IsSharingViolation(error))
        {
            return false;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            held?.Dispose();
            throw new InputError($"{path}: the run folder cannot be written ({error.Message}); choose another with --out", error);
        }
    }

    // Windows: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION; elsewhere EWOULDBLOCK of flock, 11 on Linux and 35 on macOS.
    private static bool IsSharingViolation(IOException error) => error.HResult is unchecked((int)0x80070020) or unchecked((int)0x80070021) or 11 or 35;

    private static string MakeFolder(string path)
    {
        try { return Directory.CreateDirectory(path).FullName; }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputError($"{path}: the folder cannot be made ({error.Message}); choose another with --out", error);
        }
    }

    private static int LastNumber(string root, string stem)
    {
        int last = 0;
        foreach (string folder in Directory.EnumerateDirectories(root, stem + "-*"))
        {
            string rest = System.IO.Path.GetFileName(folder)[(stem.Length + 1)..];
            if (int.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out int number)) last = Math.Max(last, number);
        }
        return last;
    }
}

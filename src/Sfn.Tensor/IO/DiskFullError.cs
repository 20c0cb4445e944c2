namespace Sfn.IO;

/// <summary>A write stopped because the volume (or the user's quota) is full. What was there before is unchanged.</summary>
public sealed class DiskFullError : IOException
{
    // ENOSPC is 28 everywhere; EDQUOT and EFBIG differ between Linux and macOS. Windows: ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL.
    private const int Enospc = 28, LinuxQuota = 122, MacQuota = 69, WindowsHandleFull = unchecked((int)0x80070027), WindowsFull = unchecked((int)0x80070070);

    /// <summary>Makes the error for one file.</summary>
    /// <param name="path">The file that could not be written.</param>
    /// <param name="written">Bytes of the file when the volume was full.</param>
    /// <param name="inner">The operating system's error.</param>
    public DiskFullError(string path, long written, Exception inner)
        : base($"{path}: the disk is full (at {written:N0} bytes); what was there before is unchanged. Free some space or choose another folder.", inner)
    {
    }

    /// <summary>Whether an I/O error says that the volume or quota is full.</summary>
    public static bool Is(IOException error)
    {
        ArgumentNullException.ThrowIfNull(error);
        if (error is DiskFullError) return true;
        if (OperatingSystem.IsWindows()) return error.HResult is WindowsHandleFull or WindowsFull;
        return error.HResult == Enospc || error.HResult == (OperatingSystem.IsMacOS() ? MacQuota : LinuxQuota);
    }
}

using Sfn.IO;

namespace Sfn.Tests.IO;

public class AtomicFileTests
{
    [Fact]
    public void Replaces_the_file_and_leaves_nothing_else()
    {
        using var folder = new TemporaryFolder();
        AtomicFile.WriteAllText(folder["a"], "one");
        AtomicFile.WriteAllText(folder["a"], "two ä");
        Assert.Equal("two ä", File.ReadAllText(folder["a"]));
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void A_full_disk_keeps_the_old_file()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");
        int code = OperatingSystem.IsWindows() ? unchecked((int)0x80070070) : 28;
        var error = Assert.Throws<DiskFullError>(() => AtomicFile.Write(folder["a"], stream =>
        {
            stream.Write(new byte[1000]);
            stream.Flush();
            throw new IOException("No space left on device", code);
        }));
        Assert.Contains("the disk is full (at 1,000 bytes)", error.Message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(folder["a"]));
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Any_error_keeps_the_old_file()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(folder["a"], _ => throw new InvalidOperationException()));
        Assert.Equal("old", File.ReadAllText(folder["a"]));
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Leftovers_of_a_dead_process_are_removed_and_those_of_a_live_one_kept()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.2147483646-1.tmp"], "left by a process that is gone");
        File.WriteAllText(folder[$"a.{Environment.ProcessId}-999999.tmp"], "ours");
        File.WriteAllText(folder["a.notes.tmp"], "someone else's");
        AtomicFile.WriteAllText(folder["a"], "new");
        Assert.Equal(["a", $"a.{Environment.ProcessId}-999999.tmp", "a.notes.tmp"],
            Directory.GetFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }
}

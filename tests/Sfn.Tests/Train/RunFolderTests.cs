using Sfn.Train;

namespace Sfn.Tests.Train;

public class RunFolderTests
{
    [Fact]
    public void Names_are_made_in_order_and_given_names_kept()
    {
        using var root = new TemporaryFolder();
        using var first = RunFolder.Create(root["runs"], null, "lowrank-tiny");
        using var second = RunFolder.Create(root["runs"], null, "lowrank-tiny");
        using var mine = RunFolder.Create(root["runs"], "mine");
        Assert.Equal(("lowrank-tiny-1", "lowrank-tiny-2", "mine"), (first.Name, second.Name, mine.Name));
        Assert.Equal(Path.Combine(root["runs"], "mine", "config.json"), mine.ConfigFile);
        foreach (string bad in new[] { "", "..", "a/b", new string('x', 101) })
            Assert.Contains("--name", Assert.Throws<InputError>(() => RunFolder.Create(root["runs"], bad)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_in_use_is_refused_and_a_stale_lock_taken_over()
    {
        using var root = new TemporaryFolder();
        using (var run = RunFolder.Create(root.Path, "a"))
        {
            File.WriteAllText(run.ConfigFile, "{}");
            Assert.Contains("is in use by another sfn process", Assert.Throws<InputError>(() => RunFolder.Open(run.Path)).Message, StringComparison.Ordinal);
            Assert.Contains("is in use", Assert.Throws<InputError>(() => RunFolder.Create(root.Path, "a")).Message, StringComparison.Ordinal);
        }
        Assert.Contains("--resume", Assert.Throws<InputError>(() => RunFolder.Create(root.Path, "a")).Message, StringComparison.Ordinal);
        // What a killed process leaves: the file with its number, but no lock of the operating system.
        File.WriteAllText(root["a/.lock"], "process 2147483646 since 2020-01-01");
        RunFolder.Open(root["a"]).Dispose();
    }

    [Fact]
    public void Folders_that_are_no_runs_are_refused()
    {
        using var root = new TemporaryFolder();
        Assert.Contains("no such run folder", Assert.Throws<InputError>(() => RunFolder.Open(root["none"])).Message, StringComparison.Ordinal);
        Assert.Contains("no config.json", Assert.Throws<InputError>(() => RunFolder.Open(root.Path)).Message, StringComparison.Ordinal);
        File.WriteAllText(root["file"], "");
        Assert.Contains("--out", Assert.Throws<InputError>(() => RunFolder.Create(root["file"], null)).Message, StringComparison.Ordinal);
    }
}

using System.Diagnostics;
using System.Security.Cryptography;

namespace Sfn.Sdk.Tests.Cli;

/// <summary>
/// The command is killed (kill -9) at random moments, also while it writes a checkpoint, and resumed: in the end its checkpoint is that of a run nobody
/// disturbed, byte for byte.
/// </summary>
public sealed class KillTests(SfnCommand sfn) : IClassFixture<SfnCommand>
{
    private const int Kills = 20, WhileWriting = 5;
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);

    [Fact]
    public void A_killed_run_resumes_to_the_bytes_of_one_that_was_not()
    {
        sfn.WriteText("text.txt");
        // A checkpoint after every step, large enough that writing it takes time, of a model whose steps take little.
        File.WriteAllText(sfn["config.json"], """
            { "data": "text.txt", "layers": 1, "width": 128, "heads": 2, "context": 8, "batch": 1, "steps": 250, "eval_every": 50, "eval_batches": 1, "checkpoint_every": 1,
              "dropout": 0.1, "threads": 1, "rank": 4, "dense_first_layer": false }
            """);
        Assert.Equal(0, sfn.Run("train --config config.json --name whole").Code);
        string whole = Hash("whole");

        var random = new Random(5);
        var clock = Stopwatch.StartNew();
        int kills = 0, writing = 0, runs = 0;
        for (string name = "killed-0"; ;)
        {
            Assert.True(clock.Elapsed < s_limit, $"{kills} kills, {writing} of them while a checkpoint was written, within {s_limit}");
            bool enough = kills >= Kills && writing >= WhileWriting;
            string folder = sfn[$"runs/{name}"];
            string[] arguments = File.Exists(Path.Combine(folder, "config.json"))
                ? ["train", "--resume", name] : ["train", "--config", "config.json", "--name", name];
            if (enough)
            {
                var last = sfn.Run(arguments);
                Assert.Equal((0, ""), (last.Code, last.Error));
                Assert.Equal(whole, Hash(name));
                return;
            }
            bool aim = writing < WhileWriting && random.Next(2) == 0;
            string[] before = Temporary(folder);
            if (Kill(arguments, folder, before, aim, TimeSpan.FromMilliseconds(random.Next(aim ? 400 : 1500))))
            {
                kills++;
                if (Temporary(folder).Except(before).Any()) writing++;
            }
            else
            {
                // It was faster: that run is complete, and the next one takes the rest of the kills.
                Assert.Equal(whole, Hash(name));
                name = $"killed-{++runs}";
            }
        }
    }

    /// <summary>
    /// Starts the command and kills it after a while, and then, if it shall be aimed, as soon as a checkpoint is being written. False if it came to its
    /// end.
    /// </summary>
    private bool Kill(string[] arguments, string folder, string[] before, bool aim, TimeSpan after)
    {
        using var process = Process.Start(sfn.StartInfo(arguments))!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        bool ended = process.WaitForExit(after);
        while (!ended && aim && !Temporary(folder).Except(before).Any()) ended = process.HasExited;
        if (!ended) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        string said = output.GetAwaiter().GetResult() + error.GetAwaiter().GetResult();
        if (ended) Assert.True(process.ExitCode == 0, said);
        return !ended;
    }

    // Checkpoints that have not taken their name: of a running process, or left by one that was killed while it wrote.
    private static string[] Temporary(string folder)
    {
        try { return Directory.Exists(folder) ? Directory.GetFiles(folder, "checkpoint.safetensors.*.tmp") : []; }
        catch (IOException) { return []; }
    }

    private string Hash(string name) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(sfn[$"runs/{name}/checkpoint.safetensors"])));
}

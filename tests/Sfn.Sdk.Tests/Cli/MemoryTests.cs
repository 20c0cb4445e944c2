using System.Diagnostics;
using System.Text.Json;

namespace Sfn.Sdk.Tests.Cli;

/// <summary>Memory over many steps, in processes of their own.</summary>
public sealed class MemoryTests(SfnCommand sfn) : IClassFixture<SfnCommand>
{
    [Theory, InlineData("0"), InlineData("1")]
    public void Memory_is_flat_over_2000_steps(string serverCollector)
    {
        sfn.WriteText("text.txt");
        var few = Train(20, serverCollector);
        var many = Train(2000, serverCollector);
        Assert.Single(many.Live.Skip(2).Distinct());
        Assert.Equal(few.Tensors, many.Tensors);
        Assert.Equal(few.Live[^1], many.Live[^1]);
        // What the process says of itself is what the operating system says.
        Assert.InRange((double)many.Own / many.Resident, 0.85, 1.15);
    }

    private (long[] Live, long Tensors, long Own, long Resident) Train(int steps, string serverCollector)
    {
        string name = $"steps{steps}-{serverCollector}";
        var start = sfn.StartInfo($"train --data text.txt --layers 1 --width 16 --heads 2 --rank 4 --context 16 --batch 2 --eval-batches 1 --steps {steps} --name {name}".Split(' '));
        start.Environment["DOTNET_gcServer"] = serverCollector;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output.GetAwaiter().GetResult() + error.GetAwaiter().GetResult());
        using var summary = JsonDocument.Parse(File.ReadAllText(sfn[$"runs/{name}/summary.json"]));
        long Number(string key) => summary.RootElement.GetProperty(key).GetInt64();
        var live = new List<long>();
        foreach (string line in File.ReadLines(sfn[$"runs/{name}/metrics.jsonl"]))
        {
            using var entry = JsonDocument.Parse(line);
            if (entry.RootElement.TryGetProperty("live_bytes", out var bytes)) live.Add(bytes.GetInt64());
        }
        return ([.. live], Number("peak_tensor_bytes"), Number("peak_bytes"), Number("peak_resident_bytes"));
    }
}

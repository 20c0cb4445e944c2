using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sfn.Bench.Suite;

/// <summary>Runs torch_peer.py, which measures what PyTorch reaches on the same device, and reads its lines. Without PyTorch there are none.</summary>
internal static class TorchPeer
{
    private const string Script = "torch_peer.py";
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    /// <summary>PyTorch's rates by name; the note says how it went.</summary>
    public static Dictionary<string, double> Run(double scale, out string note)
    {
        var rates = new Dictionary<string, double>();
        string path = Path.Combine(AppContext.BaseDirectory, Script);
        var start = new ProcessStartInfo("python3") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in new[] { path, "--scale", scale.ToString(CultureInfo.InvariantCulture) }) start.ArgumentList.Add(argument);
        string about = "no answer", lastError = "";
        try
        {
            using var process = Process.Start(start)!;
            process.OutputDataReceived += (_, e) =>
            {
                if (e.Data is { Length: > 0 } line && Parse(line) is { } result)
                    lock (rates)
                    {
                        if (result["value"] is { } value) rates[(string)result["name"]!] = (double)value;
                        else about = (string?)result["about"] ?? about;
                    }
            };
            process.ErrorDataReceived += (_, e) =>
            {
                if (e.Data is { Length: > 0 } line) lock (rates) lastError = line;
            };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            bool ended = process.WaitForExit(s_limit);
            if (ended) process.WaitForExit();
            else process.Kill(entireProcessTree: true);
            lock (rates)
            {
                note = !ended ? $"{about}; stopped after {s_limit.TotalSeconds} s"
                    : process.ExitCode == 0 ? about
                    : $"{about}; ended with exit code {process.ExitCode}: {lastError}";
                return new(rates);
            }
        }
        catch (Win32Exception error)
        {
            note = $"python3 could not be started: {error.Message}";
            return rates;
        }
    }

    private static JsonNode? Parse(string line)
    {
        try { return JsonNode.Parse(line) as JsonObject; }
        catch (JsonException) { return null; }     // a library's own words
    }
}

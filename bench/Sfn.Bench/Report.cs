using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sfn.Bench;

/// <summary>Prints results as lines a person reads, or as one JSON object per line.</summary>
internal sealed class Report(bool json) : IDisposable
{
    /// <summary>Verifications that failed.</summary>
    public int Failures { get; private set; }

    public void Heading(string text)
    {
        if (!json) Console.WriteLine($"\n{text}");
    }

    /// <summary>One result: a name and figures.</summary>
    public void Line(string kind, string name, params ReadOnlySpan<(string Key, double Value, string Format)> figures)
    {
        if (json)
        {
            var line = new JsonObject { ["kind"] = kind, ["name"] = name };
            foreach (var (key, value, _) in figures) line[key] = double.IsFinite(value) ? Math.Round(value, 6) : null;
            Console.WriteLine(line.ToJsonString(JsonSerializerOptions.Default));
            return;
        }
        Console.Write($"  {name,-44}");
        foreach (var (key, value, format) in figures) Console.Write($" {value.ToString(format, CultureInfo.InvariantCulture)} {key,-10}");
        Console.WriteLine();
    }

    /// <summary>Records a wrong result; the command will end with exit code 1.</summary>
    public void Wrong(string name, string what)
    {
        Failures++;
        Console.Error.WriteLine($"WRONG: {name}: {what}");
    }

    public void Dispose() => Console.Out.Flush();
}

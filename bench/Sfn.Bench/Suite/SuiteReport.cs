using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sfn.Bench.Suite;

/// <summary>Prints figures and keeps the document with all of them, written anew after each, so that a run that is stopped leaves what it has.</summary>
internal sealed class SuiteReport(Report report, string? file, JsonObject environment)
{
    private readonly JsonArray _figures = [];
    private static readonly JsonSerializerOptions s_indented = new(JsonSerializerOptions.Default) { WriteIndented = true };

    /// <summary>Facts about machine and device.</summary>
    public static JsonObject Environment(Device device, Backends.Ilgpu.FoundDevice? found, double scale, bool events) => new()
    {
        ["machine"] = $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}, {System.Environment.ProcessorCount} cores",
        ["runtime"] = RuntimeInformation.FrameworkDescription,
        ["device"] = device.Name,
        ["hardware"] = found?.Hardware ?? device.Description,
        ["driver"] = found?.Driver,
        ["memoryBytes"] = found?.MemoryBytes,
        ["capabilities"] = device.Description,
        ["date"] = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        ["scale"] = scale,
        ["clock"] = events ? "device events" : "host, idle to idle",
    };

    public void Heading(string text) => report.Heading(text);

    public void Wrong(string name, string what) => report.Wrong(name, what);

    /// <summary>Prints and keeps a figure.</summary>
    public void Add(Figure figure)
    {
        _figures.Add(new JsonObject
        {
            ["name"] = figure.Name, ["value"] = Number(figure.Value), ["unit"] = figure.Unit, ["limit"] = Number(figure.Limit),
            ["limitName"] = figure.LimitName, ["share"] = Number(figure.Share), ["error"] = Number(figure.Error), ["note"] = figure.Note,
        });
        if (figure.Value is not { } value) Console.WriteLine($"  {figure.Name,-52} {figure.Note}");
        else
        {
            string share = figure.Share is { } s ? $"{s.ToString("P1", CultureInfo.InvariantCulture),9} of {figure.LimitName}" : "";
            string error = figure.Error is { } e ? $"  error {e.ToString("E1", CultureInfo.InvariantCulture)}" : "";
            string number = value.ToString(value < 1 ? "G3" : "N2", CultureInfo.InvariantCulture);
            Console.WriteLine($"  {figure.Name,-52} {number,14} {figure.Unit,-9}{share}{error}{Noted(figure.Note)}");
        }
        Write();
    }

    /// <summary>Writes the document.</summary>
    public void Write()
    {
        if (file is null) return;
        var document = environment.DeepClone().AsObject();
        document["failures"] = report.Failures;
        document["figures"] = _figures.DeepClone();
        string next = file + ".new";
        File.WriteAllText(next, document.ToJsonString(s_indented) + "\n");
        File.Move(next, file, overwrite: true);
    }

    private static string Noted(string? note) => note is null ? "" : $"  ({note})";

    // Six digits are more than a clock gives.
    private static JsonNode? Number(double? value)
        => value is { } v && double.IsFinite(v) ? double.Parse(v.ToString("G6", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : null;
}

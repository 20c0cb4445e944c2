using System.Runtime.InteropServices;
using System.Text.Json;
using Sfn.IO;

namespace Sfn.Tests;

/// <summary>One file of numbers computed elsewhere (tests/golden/README.md).</summary>
public sealed class GoldenFile : IDisposable
{
    private readonly SafetensorsFile _file;

    public GoldenFile(string name)
    {
        _file = SafetensorsFile.Open(Path.Combine(Folder, name + ".safetensors"));
        using var config = JsonDocument.Parse(_file.Metadata["config"]);
        Config = config.RootElement.Clone();
    }

    public static string Folder => Path.Combine(AppContext.BaseDirectory, "golden");

    /// <summary>The configuration of the file.</summary>
    public JsonElement Config { get; }

    /// <summary>Names of the files that begin with <paramref name="prefix"/>, without their ending.</summary>
    public static IEnumerable<string> Names(string prefix) =>
        Directory.GetFiles(Folder, prefix + "*.safetensors").Select(p => Path.GetFileNameWithoutExtension(p)).Order(StringComparer.Ordinal);

    public bool Has(string name) => _file.Contains(name);

    /// <summary>A tensor of the file; 64-bit ids as I32.</summary>
    public Tensor this[string name]
    {
        get
        {
            var entry = _file[name];
            var shape = Shape.Create([.. entry.Shape.Select(n => checked((int)n))]);
            var bytes = _file.Bytes(name);
            return entry.DType switch
            {
                "F32" => Tensor.From<float>(MemoryMarshal.Cast<byte, float>(bytes), shape),
                "BOOL" => Tensor.From<bool>(MemoryMarshal.Cast<byte, bool>(bytes), shape),
                _ => Tensor.From([.. MemoryMarshal.Cast<byte, long>(bytes).ToArray().Select(v => checked((int)v))], shape),
            };
        }
    }

    public void Dispose() => _file.Dispose();
}

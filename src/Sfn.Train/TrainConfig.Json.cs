using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Sfn.IO;
using Sfn.Nn;

namespace Sfn.Train;

public sealed partial record TrainConfig
{
    /// <summary>The configuration as JSON, one line per value, names as on the command line with underscores.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, TrainJson.Default.TrainConfig).ReplaceLineEndings("\n");

    /// <summary>Reads JSON. Values that are not there come from its preset (or <paramref name="preset"/>), unknown names are errors.</summary>
    /// <param name="json">An object.</param>
    /// <param name="source">The file's name, for errors.</param>
    /// <param name="preset">Takes the place of the JSON's own "preset".</param>
    /// <exception cref="InputError">Not JSON, an unknown name or a value of the wrong kind; the message names it.</exception>
    public static TrainConfig FromJson(string json, string source = "the configuration", string? preset = null)
    {
        ArgumentNullException.ThrowIfNull(json);
        JsonObject? merged = null;
        try
        {
            var options = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
            if (JsonNode.Parse(json, documentOptions: options) is not JsonObject given)
                throw new InputError($"{source}: the configuration is not a JSON object");
            string name = preset ?? (given["preset"] is JsonValue value && value.TryGetValue(out string? own) ? own : "tiny");
            // The preset's values, overlaid by the file's: so nothing is missing and every default has one source.
            merged = JsonSerializer.SerializeToNode(FromPreset(name), TrainJson.Default.TrainConfig)!.AsObject();
            foreach (var (key, item) in given)
            {
                if (!merged.ContainsKey(key)) throw new InputError($"{source}: unknown name '{key}'; known are {string.Join(", ", merged.Select(p => p.Key))}");
                merged[key] = item?.DeepClone();
            }
            merged["preset"] = name;
            return merged.Deserialize(TrainJson.Default.TrainConfig)!;
        }
        catch (Exception error) when (error is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new InputError($"{source}: {Explain(error, merged)}", error);
        }
    }

    /// <summary>Reads a file; see <see cref="FromJson"/>.</summary>
    /// <exception cref="InputError">The file is missing or not a configuration.</exception>
    public static TrainConfig Load(string path, string? preset = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        string text;
        if (Directory.Exists(path)) throw new InputError($"{path}: the configuration cannot be read: it is a folder");
        try { text = File.ReadAllText(path); }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputError($"{path}: the configuration cannot be read: there is no such file", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputError($"{path}: the configuration cannot be read ({error.Message})", error);
        }
        return FromJson(text, path, preset);
    }

    /// <summary>Writes a file atomically.</summary>
    public void Save(string path) => AtomicFile.WriteAllText(path, ToJson() + "\n");

    private static string Explain(Exception error, JsonObject? values)
    {
        if (error is not JsonException { Path: { Length: > 2 } path }) return $"not valid JSON ({error.Message.Split('\n')[0]})";
        string name = path[2..];   // "$.layers"
        string? words = name switch
        {
            "ffn" => Words<FfnKind>(),
            "norm" => Words<NormKind>(),
            "activation" => Words<ActivationKind>(),
            "positions" => Words<PositionKind>(),
            "decay" => Words<DecayGroup>(),
            "precision" => Words<Precision>(),
            _ => null,
        };
        return words is null ? $"'{name}' cannot be {values?[name]?.ToJsonString() ?? "null"}" : $"'{name}' must be one of {words}";
    }

    private static string Words<T>() where T : struct, Enum => string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant();
}

/// <summary>Enumerations as lower-case words, as on the command line; numbers are refused.</summary>
internal sealed class LowerCaseEnum<T>() : JsonStringEnumConverter<T>(LowerCase.Policy, allowIntegerValues: false) where T : struct, Enum;

internal sealed class LowerCase : JsonNamingPolicy
{
    public static LowerCase Policy { get; } = new();

    public override string ConvertName(string name) => name.ToLowerInvariant();
}

/// <summary>The JSON of configurations, summaries and checkpoint states, made at compile time.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    Converters = [typeof(LowerCaseEnum<FfnKind>), typeof(LowerCaseEnum<NormKind>), typeof(LowerCaseEnum<ActivationKind>),
        typeof(LowerCaseEnum<PositionKind>), typeof(LowerCaseEnum<DecayGroup>), typeof(LowerCaseEnum<Precision>)])]
[JsonSerializable(typeof(TrainConfig))]
[JsonSerializable(typeof(TrainSummary))]
internal sealed partial class TrainJson : JsonSerializerContext;

/// <summary>A checkpoint's state, in one line.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(CheckpointState))]
internal sealed partial class StateJson : JsonSerializerContext;

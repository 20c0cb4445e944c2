using System.CommandLine;
using Sfn.Train;

namespace Sfn.Cli.CommandLine;

/// <summary>The options that say which text is read.</summary>
internal sealed class DataSettings(string? standard = null)
{
    private const string Data = "Data";

    private readonly Setting<string?> _data = Setting.Text("--data", Data, "FILE|DIR|sdk-docs",
        "A UTF-8 text file, a folder of *.txt files, or the API documentation of this machine's .NET SDK.", standard: standard ?? DataOptions.SdkDocsName);

    private readonly Setting<string?> _validation = Setting.Text("--validation", Data, "FRACTION|FILE",
        "What is held out: a share above 0 and below 1, or a text file.",
        standard: standard ?? "the last 0.1 of the text; 0.05 of the types for sdk-docs");

    private readonly Setting<string?> _tokenizer = Setting.Choice("--tokenizer", Data, "One token per byte, or one per character that occurs in the text.",
        ["bytes", "chars"],
        preset: c => c.Tokenizer);

    /// <summary>The options that name texts.</summary>
    public IEnumerable<Option> Texts => [_data, _validation];

    /// <summary>All options in the order of the help page.</summary>
    public IEnumerable<Option> All => [.. Texts, _tokenizer];

    /// <summary>Whether --data was given.</summary>
    public bool IsOther(ParseResult parse) => parse.GetValue(_data) is not null;

    /// <summary>The configuration with the given options in place of its own values.</summary>
    public TrainConfig Apply(ParseResult parse, TrainConfig config)
    {
        string? data = parse.GetValue(_data), tokenizer = parse.GetValue(_tokenizer);
        return config with
        {
            Data = data ?? config.Data,
            Validation = parse.GetValue(_validation) ?? config.Validation,
            Tokenizer = tokenizer ?? config.Tokenizer,
            // The characters of a configuration file belong to its own text.
            Characters = data is null && (tokenizer is null || tokenizer == config.Tokenizer) ? config.Characters : null,
        };
    }
}

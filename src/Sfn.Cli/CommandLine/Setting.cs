using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Sfn.Train;

namespace Sfn.Cli.CommandLine;

/// <summary>What the help page needs to know of an option beyond System.CommandLine's own description.</summary>
internal interface ISetting
{
    /// <summary>The heading it stands under.</summary>
    string Group { get; }

    /// <summary>Its default in words, or null if it has none worth naming.</summary>
    string? Standard { get; }

    /// <summary>Its default under a preset; null if presets do not set it.</summary>
    Func<TrainConfig, string>? OfPreset { get; }
}

/// <summary>An option that is null when it was not given, so that presets and configuration files can stand below it.</summary>
internal sealed class Setting<T> : Option<T>, ISetting
{
    public Setting(string name, string group, string value, string description, Func<string, (T Value, string? Error)> parse) : base(name)
    {
        Group = group;
        HelpName = value;
        Description = description;
        Arity = ArgumentArity.ExactlyOne;
        CustomParser = argument =>
        {
            var (result, error) = parse(argument.Tokens[^1].Value);
            if (error is not null) argument.AddError(argument.Tokens[^1].Value.Length > 0 ? $"{name} {error}, not '{argument.Tokens[^1].Value}'" : $"{name} {error}");
            return result;
        };
    }

    public string Group { get; }

    public string? Standard { get; init; }

    public Func<TrainConfig, string>? OfPreset { get; init; }
}

/// <summary>An option without a value.</summary>
internal sealed class Switch : Option<bool>, ISetting
{
    public Switch(string name, string group, string description) : base(name)
    {
        Group = group;
        Description = description;
        Arity = ArgumentArity.Zero;
    }

    public string Group { get; }

    public string? Standard => null;

    public Func<TrainConfig, string>? OfPreset => null;
}

/// <summary>Makes options whose values are checked while the command line is read; every message names the option, what it takes and what it got.</summary>
internal static class Setting
{
    /// <summary>A whole number of at least <paramref name="least"/>; 1e6 is one, too.</summary>
    public static Setting<long?> Whole(string name, string group, string description, long least = 1, long most = int.MaxValue,
        string? standard = null, Func<TrainConfig, long>? preset = null) =>
        new(name, group, "N", description, text => Whole(text, least, most))
        {
            Standard = standard,
            OfPreset = preset is null ? null : p => Display.Numbers.Count(preset(p)),
        };

    /// <summary>A number within bounds.</summary>
    public static Setting<double?> Real(string name, string group, string description, Func<double, bool> valid, string rule,
        string? standard = null, Func<TrainConfig, double>? preset = null) =>
        new(name, group, "X", description, text =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) && valid(value)
                ? (value, null)
                : (null, $"must be a number {rule}"))
        {
            Standard = standard,
            OfPreset = preset is null ? null : p => Display.Numbers.Short(preset(p)),
        };

    /// <summary>One of a few words.</summary>
    public static Setting<string?> Choice(string name, string group, string description, string[] words,
        string? standard = null, Func<TrainConfig, string>? preset = null) =>
        new(name, group, string.Join('|', words), description, text => words.Contains(text) ? (text, null) : (null, $"must be {Words(words)}"))
        {
            Standard = standard,
            OfPreset = preset,
        };

    /// <summary>true or false. Not an option of type bool: System.CommandLine would take those without a value, too.</summary>
    public static Setting<string?> Flag(string name, string group, string description, Func<TrainConfig, bool> preset) =>
        Choice(name, group, description, ["true", "false"], preset: c => preset(c) ? "true" : "false");

    /// <summary>The value of a <see cref="Flag"/> that was given, or <paramref name="otherwise"/>.</summary>
    public static bool IsTrue(this ParseResult parse, Setting<string?> flag, bool otherwise) => parse.GetValue(flag) is { } word ? word == "true" : otherwise;

    /// <summary>Any text.</summary>
    public static Setting<string?> Text(string name, string group, string value, string description, string? standard = null, bool empty = false) =>
        new(name, group, value, description, text => text.Length > 0 || empty ? (text, null) : (null, "must not be empty")) { Standard = standard };

    private static (long? Value, string? Error) Whole(string text, long least, long most)
    {
        // Through decimal, so that 1e6 and 2.2e9 are whole numbers and nothing is rounded.
        if (decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal value) && value == decimal.Truncate(value) && value >= least
            && value <= most)
            return ((long)value, null);
        return (null, most is int.MaxValue or long.MaxValue ? $"must be a whole number of at least {least}" : $"must be a whole number from {least} to {most}");
    }

    private static string Words(string[] words) => words.Length == 1 ? words[0] : $"{string.Join(", ", words[..^1])} or {words[^1]}";
}

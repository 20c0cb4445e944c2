using System.CommandLine;
using System.CommandLine.Invocation;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Cli.CommandLine;

/// <summary>Help with options under headings, every default beside its option, and a table of what the presets set.</summary>
internal sealed class HelpPage : SynchronousCommandLineAction
{
    private const int Widest = 140;

    // The default preset first.
    private static readonly TrainConfig[] s_presets = [.. TransformerConfig.PresetNames.Select(name => TrainConfig.FromPreset(name).Resolve())];

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parse)
    {
        Write(parse.CommandResult.Command, parse.InvocationConfiguration.Output, LineWidth());
        return 0;
    }

    private static void Write(Command command, TextWriter output, int width)
    {
        output.WriteLine(command.Description);
        output.WriteLine();
        output.WriteLine($"Usage: {Usage(command)}");
        if (command.Subcommands.Any())
        {
            output.WriteLine();
            output.WriteLine("Commands");
            Columns(output, width, [.. command.Subcommands.Select(c => (c.Name, c.Description ?? ""))]);
            output.WriteLine();
            output.WriteLine("sfn COMMAND --help describes a command's options and defaults.");
        }
        if (command.Arguments.Any())
        {
            output.WriteLine();
            Columns(output, width, [.. command.Arguments.Select(a => (a.Name, a.Description ?? ""))]);
        }
        foreach (var group in command.Options.OfType<ISetting>().GroupBy(o => o.Group))
        {
            output.WriteLine();
            output.WriteLine(group.Key);
            Columns(output, width, [.. group.Select(setting => Row((Option)setting, setting))]);
        }
        WritePresets(command, output);
        if (command is HelpfulCommand { Remarks: { } remarks })
        {
            output.WriteLine();
            foreach (string paragraph in remarks.Split('\n')) WriteWrapped(output, width, 0, paragraph);
        }
    }

    private static string Usage(Command command)
    {
        if (command is RootCommand) return "sfn COMMAND [options]";
        return string.Join(' ', ["sfn", command.Name, .. command.Arguments.Select(a => a.Name), "[options]"]);
    }

    private static (string, string) Row(Option option, ISetting setting)
    {
        string text = option.Description ?? "";
        string? standard = setting.Standard ?? setting.OfPreset?.Invoke(s_presets[0]);
        if (standard is not null) text += $" [default: {standard}]";
        return ($"{option.Name} {option.HelpName}".TrimEnd(), text);
    }

    // Only what differs between presets: the rest stands beside its option.
    private static void WritePresets(Command command, TextWriter output)
    {
        var rows = command.Options.OfType<ISetting>().Where(s => s.OfPreset is not null)
            .Select(s => (((Option)s).Name, Values: s_presets.Select(s.OfPreset!).ToArray()))
            .Where(row => row.Values.Distinct().Count() > 1).ToList();
        if (rows.Count == 0) return;
        rows.Insert(0, ("", [.. s_presets.Select(p => p.Preset)]));
        int first = rows.Max(r => r.Name.Length);
        int[] widths = [.. s_presets.Select((_, i) => rows.Max(r => r.Values[i].Length))];
        output.WriteLine();
        output.WriteLine("Defaults of the presets");
        foreach (var (name, values) in rows)
            output.WriteLine($"  {name.PadRight(first)}  {string.Join("  ", values.Select((v, i) => v.PadLeft(widths[i])))}");
    }

    private static void Columns(TextWriter output, int width, IReadOnlyList<(string Left, string Right)> rows)
    {
        // Long names stand on a line of their own.
        int left = rows.Where(r => r.Left.Length <= 34).Select(r => r.Left.Length).DefaultIfEmpty(34).Max();
        foreach (var (name, text) in rows)
        {
            output.Write(name.Length > left ? $"  {name}" : $"  {name.PadRight(left)}  ");
            if (name.Length > left)
            {
                output.WriteLine();
                output.Write(new string(' ', left + 4));
            }
            WriteWrapped(output, width, left + 4, text);
        }
    }

    // The cursor stands at `indent`; later lines begin there.
    private static void WriteWrapped(TextWriter output, int width, int indent, string text)
    {
        int column = indent;
        bool first = true;
        foreach (string word in text.Split(' '))
        {
            if (!first && column + 1 + word.Length > width)
            {
                output.WriteLine();
                output.Write(new string(' ', indent));
                column = indent;
                first = true;
            }
            if (!first) output.Write(' ');
            output.Write(word);
            column += word.Length + (first ? 0 : 1);
            first = false;
        }
        output.WriteLine();
    }

    private static int LineWidth()
    {
        if (Console.IsOutputRedirected) return 120;
        try { return Math.Clamp(Console.WindowWidth - 1, 60, Widest); }
        catch (IOException) { return 120; }
    }
}

/// <summary>A command whose help page ends with a few sentences.</summary>
internal sealed class HelpfulCommand(string name, string description) : Command(name, description)
{
    /// <summary>What stands below the options; a line break begins a paragraph.</summary>
    public string? Remarks { get; init; }
}

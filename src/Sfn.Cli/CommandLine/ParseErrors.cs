using System.CommandLine;
using System.CommandLine.Parsing;

namespace Sfn.Cli.CommandLine;

/// <summary>Says in one line what is wrong with a command line: the first problem, what was meant, where help stands.</summary>
internal static class ParseErrors
{
    public static string Describe(ParseResult parse)
    {
        string command = CommandName(parse.CommandResult);
        // A wrong value is more to the point than an unknown word that follows from it.
        foreach (var error in parse.Errors)
        {
            if (error.SymbolResult is OptionResult { Option: ISetting } or ArgumentResult { Argument: { } }
                && Describe(error, command) is { } message)
                return message;
        }
        if (parse.UnmatchedTokens.Count > 0) return Unknown(parse, parse.UnmatchedTokens[0], command);
        return $"{Lower(parse.Errors[0].Message)} (see {command} --help)";
    }

    private static string? Describe(ParseError error, string command)
    {
        var option = error.SymbolResult as OptionResult ?? error.SymbolResult?.Parent as OptionResult;
        if (option is not null)
        {
            int values = option.Tokens.Count;
            if (values == 0) return $"{option.Option.Name} needs a value: {option.Option.Name} {option.Option.HelpName}";
            if (option.IdentifierTokenCount > 1) return $"{option.Option.Name} is given {option.IdentifierTokenCount} times; give it once";
            return error.Message;
        }
        if (error.SymbolResult is ArgumentResult { Tokens.Count: 0 } argument)
            return $"{command} needs {argument.Argument.Name}: {Lower(argument.Argument.Description ?? "")}";
        return null;
    }

    private static string Unknown(ParseResult parse, string token, string command)
    {
        var known = parse.CommandResult.Command;
        if (token.StartsWith('-'))
        {
            string name = token.Split('=', ':')[0];
            string? near = Nearest(name, known.Options.Where(o => !o.Hidden).Select(o => o.Name));
            return $"{command} has no option {name}{(near is null ? "" : $"; did you mean {near}?")} ({command} --help lists all)";
        }
        if (known is RootCommand)
        {
            string? near = Nearest(token, known.Subcommands.Select(c => c.Name));
            return $"sfn has no command '{token}'; " +
                $"{(near is null ? $"it has {string.Join(", ", known.Subcommands.Select(c => c.Name))}" : $"did you mean {near}?")}";
        }
        return $"{command} does not take '{token}' here ({command} --help); a value that begins with a dash is given as --option=VALUE, one with " +
            "spaces in quotes";
    }

    private static string CommandName(CommandResult result) => result.Command is RootCommand ? "sfn" : $"sfn {result.Command.Name}";

    private static string Lower(string message) => message.Length == 0 ? message : char.ToLowerInvariant(message[0]) + message[1..].TrimEnd('.');

    private static string? Nearest(string word, IEnumerable<string> known)
    {
        var (name, distance) = known.Select(k => (Name: k, Distance: Distance(word, k))).DefaultIfEmpty(("", int.MaxValue)).MinBy(k => k.Item2);
        return distance <= Math.Max(2, word.Length / 3) ? name : null;
    }

    // Levenshtein distance, one row at a time.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, 1 + Math.Min(row[j], row[j - 1]));
            }
        }
        return row[b.Length];
    }
}

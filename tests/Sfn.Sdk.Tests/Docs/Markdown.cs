using System.Text.RegularExpressions;

namespace Sfn.Sdk.Tests.Docs;

internal enum BlockMode
{
    Run,
    CompileOnly,
    Excerpt,
}

/// <summary>One C# block of a document.</summary>
/// <param name="Document">Path relative to the repository, for messages.</param>
/// <param name="Line">Line of the document (from 1) that holds the first line of code.</param>
/// <param name="Code">The code, without the fence's indentation.</param>
/// <param name="File">The source file an excerpt must come from.</param>
/// <param name="Text">Contents of the text block that follows, if any.</param>
internal sealed record CodeBlock(string Document, int Line, BlockMode Mode, string Code, string? File, string? Text)
{
    public string Place => $"{Document}:{Line}";
}

/// <summary>A document whose fences break the rules.</summary>
internal sealed class DocumentException(string message) : Exception(message);

/// <summary>Finds the C# blocks of a Markdown document.</summary>
/// <remarks>
/// <code>
/// ```csharp                  compiled, run, output compared
/// ```csharp no-run           compiled only (opens a socket, trains for an hour, has no statements …)
/// ```csharp file=src/X.cs    not code of its own: its lines must stand in that file as they are here (indentation aside)
/// </code>
/// Any other word after <c>csharp</c>, and any other name for the language (<c>cs</c>, <c>c#</c>), is an error, so no block escapes.
/// </remarks>
internal static partial class Markdown
{
    [GeneratedRegex(@"^(?<indent>\s*)(?<fence>`{3,}|~{3,})\s*(?<info>[^`]*?)\s*$")]
    private static partial Regex Fence();

    public static IReadOnlyList<CodeBlock> CSharpBlocks(string document, string markdown)
    {
        var fenced = Fences(document, markdown.ReplaceLineEndings("\n").Split('\n'));
        var blocks = new List<CodeBlock>();
        for (int i = 0; i < fenced.Count; i++)
        {
            var fence = fenced[i];
            string[] words = fence.Info.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string language = words.Length == 0 ? "" : words[0];
            if (language.ToLowerInvariant() is "cs" or "c#" || (language != "csharp" && language.Equals("csharp", StringComparison.OrdinalIgnoreCase)))
                throw new DocumentException($"{document}:{fence.Line - 1}: write ```csharp instead of ```{language}, so that the block is tested.");
            if (language != "csharp") continue;

            var (mode, file) = Mode(words.AsSpan(1), $"{document}:{fence.Line - 1}");
            bool followed = i + 1 < fenced.Count && fenced[i + 1].Info == "text" && fenced[i + 1].FollowsPrevious;
            blocks.Add(new CodeBlock(document, fence.Line, mode, fence.Content, file, followed ? fenced[i + 1].Content : null));
        }
        return blocks;
    }

    private static (BlockMode Mode, string? File) Mode(ReadOnlySpan<string> words, string place) => words switch
    {
        [] => (BlockMode.Run, null),
        ["no-run"] => (BlockMode.CompileOnly, null),
        [var word] when word.StartsWith("file=", StringComparison.Ordinal) => (BlockMode.Excerpt, word["file=".Length..]),
        _ => throw new DocumentException($"{place}: 'csharp {string.Join(' ', words!)}' is not known; use csharp, csharp no-run or csharp file=PATH."),
    };

    private sealed record Fenced(int Line, string Info, string Content, bool FollowsPrevious);

    private static List<Fenced> Fences(string document, string[] lines)
    {
        var found = new List<Fenced>();
        bool onlyBlankSince = false;
        for (int i = 0; i < lines.Length; i++)
        {
            var open = Fence().Match(lines[i]);
            if (!open.Success)
            {
                if (!string.IsNullOrWhiteSpace(lines[i])) onlyBlankSince = false;
                continue;
            }
            string mark = open.Groups["fence"].Value;
            int indent = open.Groups["indent"].Length, begin = i + 1;
            for (i = begin; i < lines.Length && !Closes(lines[i], mark); i++) { }
            if (i == lines.Length) throw new DocumentException($"{document}:{begin}: the block that begins here is never closed.");
            string content = string.Join('\n', lines[begin..i].Select(line => Dedent(line, indent)));
            found.Add(new Fenced(begin + 1, open.Groups["info"].Value, content, onlyBlankSince));
            onlyBlankSince = true;
        }
        return found;
    }

    private static bool Closes(string line, string mark)
    {
        string text = line.Trim();
        return text.Length >= mark.Length && text.All(c => c == mark[0]);
    }

    private static string Dedent(string line, int indent)
    {
        int blanks = line.TakeWhile(char.IsWhiteSpace).Count();
        return line[Math.Min(indent, blanks)..];
    }
}

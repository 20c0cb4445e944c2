using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Sfn.Sdk.Tests.Docs;

/// <summary>What a block says it prints, and the comparison with what it printed.</summary>
/// <remarks>
/// <para>1. A <c>```text</c> block right below the code (only blank lines between) is the whole output; comments then prove nothing.</para>
/// <para>2. Otherwise the comments behind <c>Console.WriteLine(…);</c> are the output, in source order, one line each:</para>
/// <code>
/// Console.WriteLine(x.Sum());   // 6                       or:  // prints: 6
/// Console.WriteLine(x);         // [[1, 2],                a value of several lines goes on in comments
///                               //  [3, 4]]                that begin in the same column
/// </code>
/// <para>
/// A block that prints must say what: output without an expectation fails. A line printed in a loop has one comment only, so it needs a text
/// block. In an expectation <c>…</c> stands for any characters of a line, and a line of <c>…</c> alone for any number of lines: for times and
/// speeds, not for results.
/// </para>
/// </remarks>
internal static class Expectation
{
    public static IReadOnlyList<string> Of(CodeBlock block, SyntaxTree tree) => block.Text is { } text ? Lines(text) : FromComments(tree);

    /// <summary>Null if the output is as expected, else what differs.</summary>
    public static string? Compare(IReadOnlyList<string> expected, string output)
    {
        var actual = Lines(output);
        if (Matches(expected, 0, actual, 0)) return null;
        if (expected.Count == 0)
            return $"prints {actual.Count} line(s) but does not say which; put a comment behind each Console.WriteLine or a ```text block below:\n"
                + Indented(actual);
        return $"prints something else.\nexpected:\n{Indented(expected)}\nprinted:\n{Indented(actual)}";
    }

    private static List<string> FromComments(SyntaxTree tree)
    {
        var source = tree.GetText();
        var expected = new List<string>();
        foreach (var statement in tree.GetRoot().DescendantNodes().OfType<ExpressionStatementSyntax>())
        {
            if (statement.Expression is not InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax call }) continue;
            if (call.ToString() is not ("Console.WriteLine" or "System.Console.WriteLine")) continue;
            var comment = statement.GetTrailingTrivia().FirstOrDefault(trivia => trivia.IsKind(SyntaxKind.SingleLineCommentTrivia));
            if (comment == default) continue;

            string value = Value(comment.ToString());
            expected.Add(value.StartsWith("prints: ", StringComparison.Ordinal) ? value["prints: ".Length..] : value);
            var place = source.Lines.GetLinePosition(comment.SpanStart);
            for (int line = place.Line + 1; line < source.Lines.Count; line++)
            {
                string text = source.Lines[line].ToString();
                int column = text.IndexOf("//", StringComparison.Ordinal);
                if (column != place.Character || !string.IsNullOrWhiteSpace(text[..column])) break;
                expected.Add(Value(text[column..]));
            }
        }
        return expected;
    }

    private static string Value(string comment)
    {
        string text = comment["//".Length..].TrimEnd();
        return text.StartsWith(' ') ? text[1..] : text;
    }

    private static bool Matches(IReadOnlyList<string> expected, int e, List<string> actual, int a)
    {
        if (e == expected.Count) return a == actual.Count;
        if (expected[e].Trim() == "…")
        {
            for (int next = a; next <= actual.Count; next++)
                if (Matches(expected, e + 1, actual, next)) return true;
            return false;
        }
        return a < actual.Count && LineMatches(expected[e], actual[a]) && Matches(expected, e + 1, actual, a + 1);
    }

    private static bool LineMatches(string expected, string actual)
    {
        string[] parts = expected.Split('…');
        if (parts.Length == 1) return expected == actual;
        if (!actual.StartsWith(parts[0], StringComparison.Ordinal)) return false;
        int at = parts[0].Length;
        foreach (string part in parts[1..^1])
        {
            int found = actual.IndexOf(part, at, StringComparison.Ordinal);
            if (found < 0) return false;
            at = found + part.Length;
        }
        return actual.Length - at >= parts[^1].Length && actual.EndsWith(parts[^1], StringComparison.Ordinal);
    }

    /// <summary>Lines without trailing blanks, without blank lines at the end.</summary>
    private static List<string> Lines(string text)
    {
        List<string> lines = [.. text.ReplaceLineEndings("\n").Split('\n').Select(line => line.TrimEnd())];
        while (lines.Count > 0 && lines[^1].Length == 0) lines.RemoveAt(lines.Count - 1);
        return lines;
    }

    private static string Indented(IReadOnlyList<string> lines) => lines.Count == 0 ? "    (nothing)" : "    " + string.Join("\n    ", lines);
}

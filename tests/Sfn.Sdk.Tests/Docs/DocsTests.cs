using System.Text.RegularExpressions;

namespace Sfn.Sdk.Tests.Docs;

/// <summary>
/// Every C# block of README.md and docs/ compiles, runs and prints what the document says. How a block states what it prints: <see cref="Expectation"/>;
/// how it opts out of running: <see cref="Markdown"/>.
/// </summary>
public partial class DocsTests
{
    [GeneratedRegex(@"^\s*(`{3,}|~{3,})\s*csharp\b(?<rest>.*)$", RegexOptions.Multiline)]
    private static partial Regex CSharpFence();

    public static TheoryData<string> Documents() =>
        [.. Repository.Files(".", "README.md").Where(path => path == "README.md").Concat(Repository.Files("docs", "*.md"))];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Documents))]
    public void EveryBlockDoesWhatItsDocumentSays(string document)
    {
        string markdown = File.ReadAllText(Repository.PathOf(document));
        using var runner = new BlockRunner();
        var results = runner.Check(document, markdown);

        Assert.True(results.All(result => result.Failure is null), string.Join("\n\n", results.Select(result => result.Failure).OfType<string>()));

        // Counted apart from the parser, so a block that the parser overlooks is noticed.
        var fences = CSharpFence().Matches(markdown.ReplaceLineEndings("\n"));
        int optedOut = fences.Count(fence => fence.Groups["rest"].Value.Trim().Length > 0);
        int executed = results.Count(result => result.Executed);
        Assert.True(fences.Count == results.Count && executed == fences.Count - optedOut,
            $"{document} has {fences.Count} lines that open a csharp block, {optedOut} of them opted out of running, "
            + $"but {results.Count} were found and {executed} run.");
    }
}

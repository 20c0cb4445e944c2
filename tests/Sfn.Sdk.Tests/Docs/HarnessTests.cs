namespace Sfn.Sdk.Tests.Docs;

/// <summary>The documents' harness itself, on small documents: it accepts what is right and rejects each kind of wrong.</summary>
public class HarnessTests
{
    private const string Good = """
        Comments, a value of several lines, the same name in two blocks.

        ```csharp
        using Sfn.Backends.Cpu;

        int x = 1 + 1;
        Console.WriteLine(x);                       // 2
        Console.WriteLine(CpuPool.Threads > 0);     // prints: True
        Console.WriteLine("[[1, 2],\n [3, 4]]");    // [[1, 2],
                                                    //  [3, 4]]
        // a remark
        File.WriteAllText("note.txt", "written in a folder of its own");
        ```

        1. Indented, with a text block and lines that differ from run to run:

           ```csharp
           int x = 3;
           for (int i = 0; i < x; i++) Console.WriteLine($"step {i}: {Environment.TickCount64} ms");
           Console.WriteLine(await Task.FromResult(File.Exists("note.txt")));
           ```

           ```text
           step 0: … ms
           …
           False
           ```

        ```csharp no-run
        namespace Unused;
        public static class Server { public static void Wait() => Thread.Sleep(Timeout.Infinite); }
        ```

        ```csharp file=tests/Sfn.Sdk.Tests/Repository.cs
        public static string Root { get; } = FindRoot();
        ```

        ```bash
        exit 1
        ```
        """;

    [Fact]
    public void AcceptsWhatIsRight()
    {
        using var runner = new BlockRunner();
        var results = runner.Check("good.md", Good);
        Assert.Equal([null, null, null, null], results.Select(result => result.Failure));
        Assert.Equal([true, true, false, false], results.Select(result => result.Executed));
    }

    [Theory]
    [InlineData("wrong value in a comment", "```csharp\nConsole.WriteLine(1 + 1); // 3\n```", "expected:\n    3\nprinted:\n    2")]
    [InlineData("wrong text block", "```csharp\nConsole.WriteLine(\"a b\");\n```\n```text\na c\n```", "expected:\n    a c\nprinted:\n    a b")]
    [InlineData("text block decides", "```csharp\nConsole.WriteLine(2); // 2\n```\n\n```text\n3\n```", "expected:\n    3")]
    [InlineData("one line too few", "```csharp\nif (DateTime.Now.Year < 2000)\n    Console.WriteLine(2); // 2\n```", "(nothing)")]
    [InlineData("one line too many", "```csharp\nConsole.WriteLine(1); // 1\nConsole.WriteLine(2);\n```", "prints something else")]
    [InlineData("output without expectation", "```csharp\nConsole.WriteLine(1);\n```\nNot adjacent.\n```text\n1\n```", "does not say which")]
    [InlineData("wildcard inside a line", "```csharp\nConsole.WriteLine(\"loss 1.25 now\"); // loss … then\n```", "prints something else")]
    [InlineData("compile error", "```csharp\nint x = \"one\";\n```", "wrong.md(2,9): error CS0029")]
    [InlineData("compile error in no-run", "```csharp no-run\nint x = \"one\";\n```", "does not compile")]
    [InlineData("no statements", "```csharp\nclass C;\n```", "CS5001")]
    [InlineData("exception", "```csharp\nthrow new InvalidOperationException(\"torn\");\n```", "torn")]
    [InlineData("exit code", "```csharp\nreturn 3;\n```", "exit code 3")]
    [InlineData("excerpt that is not there", "```csharp file=tests/Sfn.Sdk.Tests/Repository.cs\nint gone;\n```", "is not in tests/Sfn.Sdk.Tests/Repository.cs")]
    [InlineData("excerpt of no file", "```csharp file=src/None.cs\nint x;\n```", "does not exist")]
    public void RejectsABlock(string reason, string markdown, string message)
    {
        using var runner = new BlockRunner();
        string? failure = Assert.Single(runner.Check("wrong.md", markdown)).Failure;
        Assert.True(failure is not null, $"accepted: {reason}");
        Assert.Contains(message, failure);
        Assert.StartsWith("wrong.md:2 ", failure);
    }

    [Theory]
    [InlineData("```cs\n```", "write ```csharp")]
    [InlineData("```C#\n```", "write ```csharp")]
    [InlineData("```CSharp\n```", "write ```csharp")]
    [InlineData("```csharp norun\n```", "is not known")]
    [InlineData("```csharp\nint x;", "never closed")]
    public void RejectsADocument(string markdown, string message) =>
        Assert.Contains(message, Assert.Throws<DocumentException>(() => Markdown.CSharpBlocks("wrong.md", markdown)).Message);
}

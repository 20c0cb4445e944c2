using System.Diagnostics;
using System.Reflection;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Emit;
using Microsoft.CodeAnalysis.Text;

namespace Sfn.Sdk.Tests.Docs;

/// <summary>What became of one block: <see cref="Failure"/> is null if it did what its document says.</summary>
internal sealed record BlockResult(CodeBlock Block, bool Executed, string? Failure);

/// <summary>
/// Compiles blocks against the built Sfn assemblies and runs each in a process of its own, in an empty folder: blocks share nothing, may write
/// files and may not disturb the test run.
/// </summary>
internal sealed class BlockRunner : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);
    private static readonly string[] s_libraries = ["Sfn.Tensor", "Sfn.Autograd", "Sfn.Nn", "Sfn.Train", "Sfn.Ilgpu"];
    private static readonly string[] s_usings =
        ["System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Net.Http", "System.Threading", "System.Threading.Tasks"];

    private static readonly string s_framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
    private static readonly IReadOnlyList<string> s_closure = LibraryClosure();
    private static readonly IReadOnlyList<MetadataReference> s_references =
        [.. FrameworkFiles().Concat(s_closure).Select(path => (MetadataReference)MetadataReference.CreateFromFile(path))];

    private readonly string _folder = Directory.CreateTempSubdirectory("sfn-docs-").FullName;
    private int _count;

    public BlockRunner()
    {
        foreach (string library in s_closure) File.Copy(library, Path.Combine(_folder, Path.GetFileName(library)));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Checks every C# block of a document, in order.</summary>
    public IReadOnlyList<BlockResult> Check(string document, string markdown) => [.. Markdown.CSharpBlocks(document, markdown).Select(Check)];

    private BlockResult Check(CodeBlock block)
    {
        if (block.Mode == BlockMode.Excerpt) return Fail(Excerpt.Check(block), executed: false);

        string name = $"Block{++_count}", assembly = Path.Combine(_folder, name + ".dll");
        var tree = Parse(block);
        if (Compile(block, tree, name, assembly) is { } error) return Fail(error, executed: false);
        if (block.Mode == BlockMode.CompileOnly) return Fail(null, executed: false);

        var (exit, output, errors) = Run(assembly, Directory.CreateDirectory(Path.Combine(_folder, name)).FullName);
        if (exit is null) return Fail($"still runs after {s_limit.TotalSeconds} seconds.\n{output}", executed: true);
        if (exit != 0) return Fail($"ends with exit code {exit}.\n{output}{errors}", executed: true);
        return Fail(Expectation.Compare(Expectation.Of(block, tree), output), executed: true);

        BlockResult Fail(string? failure, bool executed) => new(block, executed, failure is null ? null : $"{block.Place} {failure}");
    }

    /// <summary>The syntax tree's lines are the document's, so that compiler errors and stack traces point there.</summary>
    private static SyntaxTree Parse(CodeBlock block) => CSharpSyntaxTree.ParseText(
        SourceText.From($"#line {block.Line} \"{block.Document}\"\n{block.Code}\n", Encoding.UTF8),
        new CSharpParseOptions(LanguageVersion.CSharp14), block.Document);

    private static string? Compile(CodeBlock block, SyntaxTree tree, string name, string path)
    {
        string usings = string.Concat(s_usings.Select(space => $"global using global::{space};\n"));
        var implicitUsings = CSharpSyntaxTree.ParseText(SourceText.From(usings, Encoding.UTF8), (CSharpParseOptions)tree.Options, "usings.cs");
        bool program = block.Mode == BlockMode.Run || tree.GetRoot().ChildNodes().OfType<GlobalStatementSyntax>().Any();
        var options = new CSharpCompilationOptions(program ? OutputKind.ConsoleApplication : OutputKind.DynamicallyLinkedLibrary,
            optimizationLevel: OptimizationLevel.Release, allowUnsafe: true, nullableContextOptions: NullableContextOptions.Enable);
        var compilation = CSharpCompilation.Create(name, [tree, implicitUsings], s_references, options);
        EmitResult result;
        using (var file = File.Create(path))
            result = compilation.Emit(file, options: new EmitOptions(debugInformationFormat: DebugInformationFormat.Embedded));
        if (result.Success) return null;
        var errors = result.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
        return $"does not compile.\n    {string.Join("\n    ", errors)}";
    }

    private static (int? Exit, string Output, string Errors) Run(string assembly, string workingFolder)
    {
        File.Copy(Path.Combine(AppContext.BaseDirectory, "Sfn.Sdk.Tests.runtimeconfig.json"), Path.ChangeExtension(assembly, ".runtimeconfig.json"));
        var start = new ProcessStartInfo(DotnetHost(), [assembly])
        {
            WorkingDirectory = workingFolder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start.");
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_limit))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            return (null, output.Result, errors.Result);
        }
        return (process.ExitCode, output.Result, errors.Result);
    }

    /// <summary>The host that owns the running framework: root/shared/Microsoft.NETCore.App/version is where its assemblies lie.</summary>
    private static string DotnetHost()
    {
        string beside = Path.GetFullPath(Path.Combine(s_framework, "..", "..", "..", OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"));
        return File.Exists(beside) ? beside : "dotnet";
    }

    private static IEnumerable<string> FrameworkFiles() => ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
        .Split(Path.PathSeparator).Where(path => Path.GetDirectoryName(path) == s_framework);

    /// <summary>The libraries a user installs, and what they need beyond the framework.</summary>
    private static IReadOnlyList<string> LibraryClosure()
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>(s_libraries);
        while (open.TryPop(out string? name))
        {
            string path = Path.Combine(AppContext.BaseDirectory, name + ".dll");
            if (!File.Exists(path) || !found.Add(path)) continue;
            foreach (var reference in Assembly.LoadFrom(path).GetReferencedAssemblies()) open.Push(reference.Name!);
        }
        return [.. found];
    }
}

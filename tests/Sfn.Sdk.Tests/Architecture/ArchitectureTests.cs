using System.Xml.Linq;

namespace Sfn.Sdk.Tests.Architecture;

/// <summary>The rules of the design that source text can prove.</summary>
public class ArchitectureTests
{
    private static readonly string[] s_core = ["src/Sfn.Tensor/", "src/Sfn.Autograd/", "src/Sfn.Nn/", "src/Sfn.Train/"];

    // What each project may reference. Libraries form a chain; programs and tests may use any of them.
    private static readonly Dictionary<string, string[]> s_references = new()
    {
        ["Sfn.Tensor"] = [],
        ["Sfn.Autograd"] = ["Sfn.Tensor"],
        ["Sfn.Nn"] = ["Sfn.Autograd"],
        ["Sfn.Train"] = ["Sfn.Nn"],
        ["Sfn.Ilgpu"] = ["Sfn.Tensor"],
        ["Sfn.Cli"] = ["Sfn.Train", "Sfn.Ilgpu"],
        ["Sfn.Bench"] = ["Sfn.Train", "Sfn.Ilgpu"],
        ["Sfn.CudaEmulator"] = [],
        ["Sfn.Tests"] = ["Sfn.Train", "Sfn.Ilgpu", "Sfn.Cli", "Sfn.CudaEmulator"],
        ["Sfn.Sdk.Tests"] = ["Sfn.Train", "Sfn.Ilgpu", "Sfn.Cli"],
        ["Sfn.Peers"] = ["Sfn.Train"],
        ["Sfn.Aot"] = ["Sfn.Train"],
    };

    private static readonly SourceFile[] s_all = [.. Read("src"), .. Read("bench"), .. Read("tests")];
    private static readonly SourceFile[] s_src = [.. s_all.Where(file => file.Path.StartsWith("src/", StringComparison.Ordinal))];

    [Fact]
    public void ReferencesPointAsDrawn()
    {
        string[] projects = [.. Repository.Files(".", "*.csproj")];
        Assert.Contains("src/Sfn.Tensor/Sfn.Tensor.csproj", projects);
        Expect(projects.SelectMany(project =>
        {
            string name = Path.GetFileNameWithoutExtension(project);
            if (!s_references.TryGetValue(name, out string[]? allowed)) return [$"{project} is new: say in this test what it may reference"];
            return References(project).Except(allowed).Select(other => $"{project} references {other}; allowed: {string.Join(", ", allowed)}");
        }));
    }

    [Fact]
    public void OnlyOneProjectNamesIlgpu()
    {
        Expect(s_all.Where(file => !file.Path.StartsWith("src/Sfn.Ilgpu/", StringComparison.Ordinal)).SelectMany(file => Rules.Names(file, "ILGPU")));
        Expect(Repository.Files(".", "*.csproj").Where(project => project != "src/Sfn.Ilgpu/Sfn.Ilgpu.csproj").SelectMany(project =>
            Included(project, "PackageReference").Where(package => package.StartsWith("ILGPU", StringComparison.Ordinal))
                .Select(package => $"{project} uses {package}")));
    }

    [Fact]
    public void OnlyStorageAndScratchHaveFinalizers() => Expect(s_src.SelectMany(Rules.Finalizers));

    [Fact]
    public void AtMostOneFileForcesACollection()
    {
        string[] places = [.. s_src.SelectMany(Rules.Collects)];
        Assert.True(places.DistinctBy(place => place.Split(':')[0]).Count() <= 1, string.Join('\n', places));
    }

    [Fact]
    public void CoreNeedsNoReflection() => Expect(Core().SelectMany(Rules.Reflection));

    [Fact]
    public void CoreDoesNotSwitchOnTypeParameters() => Expect(Core().SelectMany(Rules.TypeSwitches));

    [Fact]
    public void FilesAreShort() => Expect(s_all.SelectMany(Rules.TooLong));

    [Fact]
    public void NothingIsLeftUnimplemented() => Expect(s_all.SelectMany(file => Rules.Names(file, "NotImplementedException")));

    [Theory]
    [InlineData("finalizer", "class Buffer { ~Buffer() { } }")]
    [InlineData("collect", "class C { void M() => System.GC.Collect(2); }")]
    [InlineData("reflection", "using System.Reflection;")]
    [InlineData("reflection", "class C { object? M(object o) => o.GetType().GetProperty(\"X\"); }")]
    [InlineData("reflection", "class C { System.Reflection.Assembly? A; }")]
    [InlineData("reflection", "class C { object? M() => System.Reflection.Assembly.GetEntryAssembly(); }")]
    [InlineData("type switch", "class C { bool M<T>() => typeof(T) == typeof(float); }")]
    [InlineData("type switch", "class C<T> { int M() { switch (typeof(T)) { default: return 1; } } }")]
    [InlineData("type switch", "class C<T> { bool M() => (typeof(T)).IsPrimitive; }")]
    [InlineData("name", "using ILGPU.Runtime;")]
    [InlineData("name", "class C { void M() => throw new System.NotImplementedException(); }")]
    public void RulesRejectWhatBreaksThem(string rule, string text) => Assert.NotEmpty(Broken(rule, text));

    [Theory]
    [InlineData("finalizer", "class Storage { ~Storage() { } }")]
    [InlineData("collect", "// GC.Collect()\nclass C { string s = \"GC.Collect()\"; void M(Garbage g) => g.Collect(); }")]
    [InlineData("reflection", "// System.Reflection\nclass C { string s = nameof(System); }")]
    [InlineData("reflection", "class C { object M(System.Text.Json.JsonElement e) => e.GetProperty(\"a\"); }")]
    [InlineData("type switch", "class C<T> { string M() => $\"no {typeof(T).Name}\"; bool N(System.Type t) => t == typeof(float); }")]
    [InlineData("name", "// NotImplementedException, ILGPU\nclass C { string s = \"ILGPU\"; }")]
    public void RulesAcceptWhatIsAllowed(string rule, string text) => Assert.Empty(Broken(rule, text));

    [Fact]
    public void LengthCountsLines()
    {
        Assert.Empty(Rules.TooLong(new SourceFile("Tape.cs", new string('\n', 249) + "// 250\n")));
        Assert.NotEmpty(Rules.TooLong(new SourceFile("src/Tape.cs", new string('\n', 250) + "// 251\n")));
        Assert.NotEmpty(Rules.TooLong(new SourceFile("Other.cs", new string('\n', 500) + "// 501\n")));
        Assert.Empty(Rules.TooLong(new SourceFile("Other.g.cs", new string('\n', 500) + "// 501\n")));
    }

    private static IEnumerable<string> Broken(string rule, string text)
    {
        var file = new SourceFile("src/Sample.cs", text);
        return rule switch
        {
            "finalizer" => Rules.Finalizers(file),
            "collect" => Rules.Collects(file),
            "reflection" => Rules.Reflection(file),
            "type switch" => Rules.TypeSwitches(file),
            _ => Rules.Names(file, "ILGPU").Concat(Rules.Names(file, "NotImplementedException")),
        };
    }

    private static void Expect(IEnumerable<string> broken)
    {
        string[] places = [.. broken];
        Assert.True(places.Length == 0, string.Join('\n', places));
    }

    private static IEnumerable<SourceFile> Core() => s_src.Where(file => s_core.Any(folder => file.Path.StartsWith(folder, StringComparison.Ordinal)));

    private static IEnumerable<SourceFile> Read(string folder) =>
        Repository.Files(folder, "*.cs").Select(path => new SourceFile(path, File.ReadAllText(Repository.PathOf(path))));

    private static IEnumerable<string> References(string project) =>
        Included(project, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/')));

    private static IEnumerable<string> Included(string project, string item) => XDocument.Load(Repository.PathOf(project)).Descendants(item)
        .Select(element => (string?)element.Attribute("Include")).OfType<string>();
}

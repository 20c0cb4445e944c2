using System.Reflection;

namespace Sfn.Sdk.Tests.Api;

/// <summary>
/// The public surface of each package equals the committed <c>tests/Sfn.Sdk.Tests/api/ASSEMBLY.txt</c>, so that no change of it goes unnoticed.
/// After a change that is meant: <c>SFN_UPDATE_API=1 dotnet test Sfn.sln</c>, and commit the files.
/// </summary>
public class ApiTests
{
    [Theory]
    [InlineData("Sfn.Tensor")]
    [InlineData("Sfn.Autograd")]
    [InlineData("Sfn.Nn")]
    [InlineData("Sfn.Train")]
    [InlineData("Sfn.Ilgpu")]
    public void PublicSurfaceIsAsCommitted(string assembly)
    {
        var surface = PublicSurface.Of(Assembly.Load(assembly));
        string file = $"tests/Sfn.Sdk.Tests/api/{assembly}.txt", path = Repository.PathOf(file);
        if (Environment.GetEnvironmentVariable("SFN_UPDATE_API") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, string.Concat(surface.Select(line => line + "\n")));
        }
        string[] committed = File.Exists(path) ? File.ReadAllLines(path) : [];
        Assert.True(surface.SequenceEqual(committed), Difference(assembly, file, committed, surface));
    }

    [Fact]
    public void DifferenceNamesWhatIsGoneAndWhatIsNew()
    {
        string text = Difference("A", "a.txt", ["T: class", "T.Old(): void"], ["T: class", "T.New(): void"]);
        Assert.Contains("\n- T.Old(): void\n+ T.New(): void\n", text);
        Assert.DoesNotContain("T: class", text);
    }

    [Fact]
    public void SurfaceIsWrittenLikeCSharp()
    {
        var lines = PublicSurface.Of(typeof(Sample<>).Assembly).Where(line => line.StartsWith("Sfn.Sdk.Tests.Api.Sample", StringComparison.Ordinal));
        Assert.Equal(
        [
            "Sfn.Sdk.Tests.Api.Sample<T>: abstract class IDisposable where T : struct",
            "Sfn.Sdk.Tests.Api.Sample<T>.Dispose(): void",
            "Sfn.Sdk.Tests.Api.Sample<T>.Hook(out T value): protected virtual bool",
            "Sfn.Sdk.Tests.Api.Sample<T>.Item[int i]: float { get; set; }",
            "Sfn.Sdk.Tests.Api.Sample<T>.Make<U>(ReadOnlySpan<U> values, double? p = 0.5, params int[] shape): static Sfn.Sdk.Tests.Api.Sample<U>[] "
                + "where U : struct, IComparable<U>",
            "Sfn.Sdk.Tests.Api.Sample<T>.Name: string { get; init; }",
            "Sfn.Sdk.Tests.Api.Sample<T>.Size: const int = 3",
            "Sfn.Sdk.Tests.Api.Sample<T>.new()",
            "Sfn.Sdk.Tests.Api.Sample<T>.op_UnaryNegation(Sfn.Sdk.Tests.Api.Sample<T> a): static Sfn.Sdk.Tests.Api.Sample<T>",
        ], lines);
    }

    private static string Difference(string assembly, string file, IReadOnlyList<string> committed, IReadOnlyList<string> surface)
    {
        var changes = committed.Except(surface).Select(line => "- " + line).Concat(surface.Except(committed).Select(line => "+ " + line)).ToArray();
        string what = changes.Length == 0 ? "only the order of lines" : string.Join('\n', changes);
        return $"The public surface of {assembly} is not that of {file} (- gone, + new):\n{what}\n"
            + "If that is meant, run SFN_UPDATE_API=1 dotnet test Sfn.sln and commit the file; what is gone breaks users.";
    }
}

/// <summary>One of each kind of member, for the test above.</summary>
public abstract class Sample<T> : IDisposable where T : struct
{
    public const int Size = 3;
    private float _value;
    public string Name { get; init; } = "";
    public float this[int i] { get => _value; set => _value = value; }
    public static Sample<T> operator -(Sample<T> a) => a;
    public static Sample<U>[] Make<U>(ReadOnlySpan<U> values, double? p = 0.5, params int[] shape) where U : struct, IComparable<U> => [];
    public void Dispose() => GC.SuppressFinalize(this);
    public override string ToString() => Name;
    protected virtual bool Hook(out T value) { value = default; return true; }
    protected Sample() { }
    internal void Hidden() { }
}

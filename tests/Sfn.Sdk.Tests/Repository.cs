namespace Sfn.Sdk.Tests;

/// <summary>The checkout these tests were built from: the nearest folder above the test executable that holds <c>Sfn.sln</c>.</summary>
internal static class Repository
{
    private static readonly string[] s_built = ["bin", "obj", "artifacts", "TestResults"];

    public static string Root { get; } = FindRoot();

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    /// <summary>Paths relative to the root, with forward slashes, in ordinal order; folders that a build writes are left out.</summary>
    public static IReadOnlyList<string> Files(string folder, string pattern)
    {
        string start = PathOf(folder);
        if (!Directory.Exists(start)) return [];
        return [.. Directory.EnumerateFiles(start, pattern, SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
            .Where(path => !path.Split('/').Intersect(s_built).Any())
            .Order(StringComparer.Ordinal)];
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Sfn.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException($"No Sfn.sln above {AppContext.BaseDirectory}: these tests read the repository and run inside a checkout.");
    }
}

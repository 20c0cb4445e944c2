namespace Sfn.Sdk.Tests.Docs;

/// <summary>Blocks that show a part of a source file, or all of it: the file must hold the same lines in the same order, without a gap.</summary>
internal static class Excerpt
{
    public static string? Check(CodeBlock block)
    {
        string path = Repository.PathOf(block.File!);
        if (!File.Exists(path)) return $"shows {block.File}, which does not exist.";
        string[] source = Lines(File.ReadAllText(path)), shown = Lines(block.Code);
        if (shown.Length == 0) return $"shows {block.File} but is empty.";

        int best = 0;
        for (int start = 0; start + shown.Length <= source.Length; start++)
        {
            int same = 0;
            while (same < shown.Length && source[start + same] == shown[same]) same++;
            if (same == shown.Length) return null;
            best = Math.Max(best, same);
        }
        return $"is not in {block.File}: its line {best + 1} is not found there: {shown[best]}";
    }

    /// <summary>Indentation does not count (an excerpt may be shifted), nor do blank lines around it.</summary>
    private static string[] Lines(string text) =>
        [.. text.Trim('\uFEFF').Trim().ReplaceLineEndings("\n").Split('\n').Select(line => line.Trim())];
}

using Sfn.Backends.Ilgpu;

namespace Sfn.Bench;

/// <summary><c>ptx FOLDER</c>: writes the PTX of every kernel the engine can launch, for the assembler. Needs no GPU and no driver.</summary>
internal static class PtxTexts
{
    public static int Run(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (string old in Directory.GetFiles(folder, "*.ptx")) File.Delete(old);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        int count = PtxCatalog.Write(folder);
        Console.WriteLine($"{count} texts in {folder}, {clock.Elapsed.TotalSeconds:0} s");
        return count > 0 ? 0 : 1;
    }
}

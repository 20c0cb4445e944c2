namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>The second half of a product that was split along k: adds the partial sums in the order of the splits and applies the epilogue.</summary>
internal static class GemmReduce
{
    /// <summary>Rows of C per block.</summary>
    public const int TileM = 32;

    /// <summary>Columns of C per block.</summary>
    public const int TileN = 128;

    /// <summary>Threads per block.</summary>
    public const int Threads = 256;

    /// <summary>The entry point.</summary>
    public const string Name = "gemm_reduce_splits";

    /// <summary><see cref="Build"/> as one delegate.</summary>
    public static readonly Func<string> Text = Build;

    /// <summary>The kernel's text.</summary>
    public static string Build()
    {
        var w = new PtxWriter(Name, Threads, minBlocks: 2);
        var p = new GemmFields(w);
        var at = TileOrder.Emit(w, p, TileM, TileN);
        new GemmEpilogue(w, p, at, TileM, TileN, Threads).FromWorkspace();
        return w.ToString();
    }
}

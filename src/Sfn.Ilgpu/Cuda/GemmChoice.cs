using System.Collections.Concurrent;

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// Which kernel, and into how many parts k is split: the one with the shortest time by a small model of a multiprocessor. The model's rates are
/// cycles of an H100-class chip; only their ratios matter.
/// </summary>
internal static class GemmChoice
{
    // Multiply-adds per cycle and multiprocessor that mma.sync reaches with bfloat16; bytes per cycle from the L2 cache; bytes
    // per cycle of an epilogue; cycles of a block besides its products; cycles of a further launch; cycles until memory answers.
    private const double Rate = 1300, CacheBytes = 40, EpilogueBytes = 24, BlockCycles = 1800, LaunchCycles = 3000, Latency = 1400;

    private static readonly ConcurrentDictionary<Key, (GemmKernel, int)> s_known = [];

    private readonly record struct Key(
        GemmDevice Device, int M, int N, int K, int Batches, GemmKind Kind, DType Result, OperandLayout A, OperandLayout B, int CopyBytes);

    /// <summary>Chooses for a supported problem. The answer depends on shapes, types, layouts and the device's numbers alone.</summary>
    public static (GemmKernel Kernel, int Splits) Choose(GemmProblem problem, GemmDevice device)
    {
        var (a, b) = (problem.AccessA!.Value, problem.AccessB!.Value);
        var key = new Key(device, problem.M, problem.N, problem.K, problem.Batch0 * problem.Batch1, problem.Kind, problem.C.Type, a.Layout, b.Layout,
            Math.Min(a.CopyBytes, b.CopyBytes));
        if (!s_known.TryGetValue(key, out var choice)) s_known[key] = choice = Search(problem, device);
        return choice;
    }

    private static (GemmKernel Kernel, int Splits) Search(GemmProblem problem, GemmDevice device)
    {
        var (a, b) = (problem.AccessA!.Value, problem.AccessB!.Value);
        var kind = problem.Kind;
        (GemmKernel? Kernel, int Splits) best = default;
        double least = double.PositiveInfinity;
        int copyBytes = Math.Min(a.CopyBytes, b.CopyBytes);
        foreach (var kernel in GemmKernel.All)
        {
            if (kernel.Kind != kind || kernel.A != a.Layout || kernel.B != b.Layout || kernel.CopyBytes != copyBytes) continue;
            if (kernel.Tile.SharedBytes > device.SharedBytesPerBlock) continue;
            int tiles = Math.Max(1, (problem.K + kernel.TileK - 1) / kernel.TileK);
            foreach (int splits in (ReadOnlySpan<int>)[1, 2, 3, 4, 6, 8, 12, 16, 24, 32])
            {
                // Less than four tiles per part would only fill and drain the ring.
                if (splits > 1 && tiles / splits < 4) break;
                double cycles = Cycles(problem, kernel, splits, tiles, device);
                if (cycles >= least) continue;
                (least, best) = (cycles, (kernel, splits));
            }
        }
        return best.Kernel is null
            ? throw new InvalidOperationException($"No kernel of {kind} products fits {device.SharedBytesPerBlock} bytes of shared memory per block.")
            : (best.Kernel, best.Splits);
    }

    /// <summary>Estimated cycles of the whole product.</summary>
    public static double Cycles(GemmProblem problem, GemmKernel kernel, int splits, int tiles, GemmDevice device)
    {
        var tile = kernel.Tile;
        double batches = (double)problem.Batch0 * problem.Batch1;
        double blocks = Math.Ceiling((double)problem.M / tile.M) * Math.Ceiling((double)problem.N / tile.N) * batches * splits;
        int resident = Math.Max(1, Math.Min(tile.Blocks, device.SharedBytes / (tile.SharedBytes + 1024)));
        double perProcessor = Math.Ceiling(blocks / device.Multiprocessors);

        double steps = Math.Ceiling((double)tiles / splits);
        double rate = Rate * Share(kernel.Kind) * Efficiency(tile);
        double products = steps * tile.M * tile.N * kernel.TileK / rate;
        double reads = steps * tile.StageBytes / CacheBytes * (kernel.CopyBytes < 16 ? 2 : 1);
        double epilogue = BlockCycles + tile.M * tile.N * (splits > 1 ? 4.0 : problem.C.Type.Size()) / EpilogueBytes;
        // A block cannot take its tiles of k faster than memory answers, however little there is to compute.
        double waiting = Math.Ceiling(perProcessor / resident) * steps * Latency / (tile.Stages - 1);
        // Blocks that share a multiprocessor hide each other's beginning and end, as far as there are several.
        double overlap = Math.Min(resident, perProcessor);
        double cycles = Math.Max(perProcessor * Math.Max(products, reads), waiting) + perProcessor * epilogue / overlap;
        if (splits == 1) return cycles;
        double partial = (double)problem.M * problem.N * batches * 4 * (splits + 1);
        return cycles + LaunchCycles + partial / (device.Multiprocessors * EpilogueBytes);
    }

    private static double Share(GemmKind kind) => kind switch { GemmKind.BFloat16 => 1, GemmKind.Tf32 => 1.0 / 2, _ => 1.0 / 6 };

    // Arithmetic per byte of shared memory decides how near the tensor cores' rate a warp comes.
    private static double Efficiency(GemmTile tile)
    {
        double perByte = (double)tile.WarpM * tile.WarpN / (tile.WarpM + tile.WarpN);
        return Math.Min(1, 0.35 + 0.65 * perByte / 32);
    }
}

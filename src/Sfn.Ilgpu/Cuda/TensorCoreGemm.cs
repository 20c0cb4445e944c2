namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// Matrix products on tensor cores, as PTX text. A block computes one tile of C: tiles of A and B of 128 bytes of k arrive by asynchronous
/// copies in a ring of stages in shared memory (<see cref="GemmOperand"/>), each warp multiplies its part with mma.sync from fragments that
/// are loaded one step ahead, and the sums leave through shared memory in whole rows (<see cref="GemmEpilogue"/>).
/// </summary>
/// <remarks>
/// Any m, n, k: copies beyond an edge are filled with zeros. The sum over k runs in one fixed order per kernel and split, so two runs are
/// bit-equal. The ring and the permuted rows are as in CUTLASS (NVIDIA, "Efficient GEMM in CUDA").
/// </remarks>
internal static class TensorCoreGemm
{
    // Bytes and tiles are counted in signed 32-bit numbers.
    private const int LargestSize = 1 << 28;

    /// <summary>
    /// Whether the kernels can compute the problem as it stands. Operands: two bfloat16 or two float32, each with one contiguous index and four-byte
    /// alignment (<see cref="OperandAccess.Of"/>). C, bias, residual: float32 or bfloat16, any strides.
    /// </summary>
    public static bool Supports(GemmProblem problem) => problem.HasTypes && Fits(problem) && problem.AccessA is not null && problem.AccessB is not null;

    /// <summary>Whether sizes are in the kernels' range.</summary>
    public static bool Fits(GemmProblem problem) =>
        problem.M is > 0 and < LargestSize && problem.N is > 0 and < LargestSize && problem.K < LargestSize &&
        (double)((problem.M + 15) / 16) * ((problem.N + 63) / 64) * problem.Batch0 * problem.Batch1 < int.MaxValue;

    /// <summary>The text of one kernel: for compute capability 8.0 and later, or with <paramref name="hopper"/> for 9.0 and later.</summary>
    public static string Build(GemmKernel kernel, bool hopper)
    {
        var tile = kernel.Tile;
        var w = new PtxWriter(kernel.Name, tile.Threads, tile.Blocks, target: hopper ? "sm_90" : "sm_80");
        var p = new GemmFields(w);
        var at = TileOrder.Emit(w, p, tile);
        string a = p.Address(w, "a", at, nameof(GemmParameters.A), nameof(GemmParameters.A0), nameof(GemmParameters.A1));
        string b = p.Address(w, "b", at, nameof(GemmParameters.B), nameof(GemmParameters.B0), nameof(GemmParameters.B1));

        w.Comment("This split's part of k, in tiles; no k at all is one tile of zeros.");
        string kBegin = w.U32("k_begin"), kEnd = w.U32("k_end"), tiles = w.U32("tiles");
        string splitK = p[nameof(GemmParameters.SplitK)];
        w.Op($"mul.lo.u32 {kBegin}, {at.Split}, {splitK}");
        w.Op($"add.u32 {kEnd}, {kBegin}, {splitK}");
        w.Op($"min.u32 {kEnd}, {kEnd}, {p[nameof(GemmParameters.K)]}");
        w.Op($"sub.s32 {tiles}, {kEnd}, {kBegin}");
        w.Op($"add.s32 {tiles}, {tiles}, {kernel.TileK - 1}");
        w.Op($"div.s32 {tiles}, {tiles}, {kernel.TileK}");
        w.Op($"max.s32 {tiles}, {tiles}, 1");

        string shared = w.U32("shared"), lane = w.U32("lane"), warp = w.U32("warp"), warpM = w.U32("warp_m"), warpN = w.U32("warp_n");
        w.Op($"mov.u32 {shared}, {PtxWriter.DynamicShared}");
        w.Op($"and.b32 {lane}, {at.Thread}, 31");
        w.Op($"shr.u32 {warp}, {at.Thread}, 5");
        w.Op($"div.u32 {warpM}, {warp}, {tile.WarpsN}");
        w.Op($"rem.u32 {warpN}, {warp}, {tile.WarpsN}");

        GemmOperand left = new(kernel, isA: true, hopper), right = new(kernel, isA: false, hopper);
        left.BeginCopies(w, at.Thread, a, p[nameof(GemmParameters.StrideA)], at.M0, at.M, kBegin, kEnd, shared);
        right.BeginCopies(w, at.Thread, b, p[nameof(GemmParameters.StrideB)], at.N0, at.N, kBegin, kEnd, shared);
        left.BeginFragments(w, lane, warpM);
        right.BeginFragments(w, lane, warpN);

        string[] sums = w.F32("sum", tile.WarpM / 16 * (tile.WarpN / 8) * 4);
        foreach (string sum in sums) w.Op($"mov.f32 {sum}, {PtxWriter.Constant(0f)}");
        Products(w, kernel, left, right, shared, tiles, sums);

        w.Comment("The ring becomes the float32 copy of the tile.");
        w.Op("cp.async.wait_all");
        w.Op("bar.sync 0");
        Stage(w, tile, shared, lane, warpM, warpN, sums);
        w.Op("bar.sync 0");
        var epilogue = new GemmEpilogue(w, p, at, tile.M, tile.N, tile.Threads);
        epilogue.FromShared(shared, tile.StagingPitch);
        return w.ToString();
    }

    // The ring: while tile t is multiplied, tiles t + 1 … t + stages − 1 are on their way. The one barrier per tile both publishes the next
    // tile and says that nobody reads the stage any more that is overwritten next.
    private static void Products(PtxWriter w, GemmKernel kernel, GemmOperand left, GemmOperand right, string shared, string tiles, string[] sums)
    {
        var tile = kernel.Tile;
        int steps = kernel.TileK / kernel.StepK;
        string read = w.U32("read"), write = w.U32("write"), more = w.Predicate("more"), wrap = w.Predicate("wrap");
        string[][] a = [w.U32("a0", left.Fragments), w.U32("a1", left.Fragments)];
        string[][] b = [w.U32("b0", right.Fragments), w.U32("b1", right.Fragments)];

        w.Comment($"Fill {tile.Stages - 1} of {tile.Stages} stages.");
        w.Op($"mov.u32 {write}, 0");
        for (int stage = 0; stage < tile.Stages - 1; stage++)
        {
            left.Copy(w, write, 0, left.Passes);
            right.Copy(w, write, 0, right.Passes);
            left.NextTile(w);
            right.NextTile(w);
            w.Op("cp.async.commit_group");
            w.Op($"add.u32 {write}, {write}, {tile.StageBytes}");
        }
        w.Op($"cp.async.wait_group {tile.Stages - 2}");
        w.Op("bar.sync 0");
        w.Op($"mov.u32 {read}, {shared}");
        left.SelectStage(w, read);
        right.SelectStage(w, read);
        left.LoadFragments(w, 0, a[0]);
        right.LoadFragments(w, 0, b[0]);

        string end = w.U32("ring_end");
        w.Op($"add.u32 {end}, {shared}, {tile.Stages * tile.StageBytes}");
        using (w.DoWhile(more, "k"))
        {
            for (int step = 0; step < steps; step++)
            {
                int now = step & 1, next = now ^ 1;
                w.Comment($"step {step}");
                if (step == steps - 1)
                {
                    left.NextTile(w);
                    right.NextTile(w);
                    w.Op("cp.async.commit_group");
                    w.Op($"add.u32 {write}, {write}, {tile.StageBytes}");
                    w.Op($"setp.eq.u32 {wrap}, {write}, {tile.Stages * tile.StageBytes}");
                    w.Op(wrap, $"mov.u32 {write}, 0");
                    w.Op($"add.u32 {read}, {read}, {tile.StageBytes}");
                    w.Op($"setp.eq.u32 {wrap}, {read}, {end}");
                    w.Op(wrap, $"mov.u32 {read}, {shared}");
                    w.Op($"cp.async.wait_group {tile.Stages - 2}");
                    w.Op("bar.sync 0");
                    left.SelectStage(w, read);
                    right.SelectStage(w, read);
                }
                int load = (step + 1) % steps;
                left.LoadFragments(w, load, a[next]);
                right.LoadFragments(w, load, b[next]);
                if (step < steps - 1)
                {
                    // The copies are spread over the steps so that they do not delay the fragments.
                    left.Copy(w, write, left.Passes * step / (steps - 1), left.Passes * (step + 1) / (steps - 1));
                    right.Copy(w, write, right.Passes * step / (steps - 1), right.Passes * (step + 1) / (steps - 1));
                }
                Multiply(w, kernel, a[now], b[now], sums);
            }
            w.Op($"sub.u32 {tiles}, {tiles}, 1");
            w.Op($"setp.ne.u32 {more}, {tiles}, 0");
        }
    }

    private static void Multiply(PtxWriter w, GemmKernel kernel, string[] a, string[] b, string[] sums)
    {
        if (kernel.Kind != GemmKind.Float32)
        {
            MultiplyAdd(w, kernel, a, b, sums);
            return;
        }
        // The small terms first, each over all sums, so that neighbouring instructions do not wait for each other.
        var (highA, lowA) = Halves(w, "a", a);
        var (highB, lowB) = Halves(w, "b", b);
        MultiplyAdd(w, kernel, lowA, highB, sums);
        MultiplyAdd(w, kernel, highA, lowB, sums);
        MultiplyAdd(w, kernel, highA, highB, sums);
    }

    // x = high + low: high is x rounded to 11 bits, low the exact rest, cut after 11 bits. The sum on bits turns some NaNs into zero, but then the
    // rest is NaN, and so is the rest of ∞.
    private static (string[] High, string[] Low) Halves(PtxWriter w, string name, string[] x)
    {
        string[] high = w.U32(name + "_high", x.Length), low = w.U32(name + "_low", x.Length);
        for (int i = 0; i < x.Length; i++)
        {
            w.Op($"add.u32 {high[i]}, {x[i]}, 0x1000");
            w.Op($"and.b32 {high[i]}, {high[i]}, 0xffffe000");
            w.Op($"sub.rn.f32 {low[i]}, {x[i]}, {high[i]}");
            w.Op($"and.b32 {low[i]}, {low[i]}, 0xffffe000");
        }
        return (high, low);
    }

    private static void MultiplyAdd(PtxWriter w, GemmKernel kernel, string[] a, string[] b, string[] sums)
    {
        string shape = kernel.Kind == GemmKind.BFloat16 ? "m16n8k16.row.col.f32.bf16.bf16.f32" : "m16n8k8.row.col.f32.tf32.tf32.f32";
        int rows = kernel.Tile.WarpM / 16, columns = kernel.Tile.WarpN / 8;
        for (int i = 0; i < rows; i++)
        {
            for (int x = 0; x < columns; x++)
            {
                // There and back again: the neighbour in time shares a fragment.
                int j = (i & 1) == 0 ? x : columns - 1 - x, s = (i * columns + j) * 4;
                string sum = PtxWriter.Vector(sums[s], sums[s + 1], sums[s + 2], sums[s + 3]);
                w.Op($"mma.sync.aligned.{shape} {sum}, {PtxWriter.Vector(a[i * 4], a[i * 4 + 1], a[i * 4 + 2], a[i * 4 + 3])}, " +
                    $"{PtxWriter.Vector(b[j * 2], b[j * 2 + 1])}, {sum}");
            }
        }
    }

    // Lane (g, t) of a 16x8 sum holds columns 2t, 2t + 1 of rows g and g + 8.
    private static void Stage(PtxWriter w, GemmTile tile, string shared, string lane, string warpM, string warpN, string[] sums)
    {
        string row = w.U32("stage_row"), column = w.U32("stage_column"), to = w.U32("stage_to");
        w.Op($"shr.u32 {row}, {lane}, 2");
        w.Op($"mad.lo.u32 {row}, {warpM}, {tile.WarpM}, {row}");
        w.Op($"and.b32 {column}, {lane}, 3");
        w.Op($"shl.b32 {column}, {column}, 1");
        w.Op($"mad.lo.u32 {column}, {warpN}, {tile.WarpN}, {column}");
        w.Op($"mad.lo.u32 {to}, {row}, {tile.StagingPitch}, {shared}");
        w.Op($"mad.lo.u32 {to}, {column}, 4, {to}");
        int columns = tile.WarpN / 8;
        for (int i = 0; i < sums.Length / 4; i++)
        {
            int offset = i / columns * 16 * tile.StagingPitch + i % columns * 32;
            w.Op($"st.shared.v2.f32 [{to}+{offset}], {PtxWriter.Vector(sums[i * 4], sums[i * 4 + 1])}");
            w.Op($"st.shared.v2.f32 [{to}+{offset + 8 * tile.StagingPitch}], {PtxWriter.Vector(sums[i * 4 + 2], sums[i * 4 + 3])}");
        }
    }
}

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>What the choice of a kernel needs to know about a device.</summary>
/// <param name="Multiprocessors">Number of multiprocessors.</param>
/// <param name="SharedBytesPerBlock">Most dynamic shared memory that a block can opt in to.</param>
/// <param name="SharedBytes">Shared memory of a multiprocessor.</param>
/// <param name="Hopper">Whether the compute capability is at least 9.0.</param>
internal sealed record GemmDevice(int Multiprocessors, int SharedBytesPerBlock, int SharedBytes, bool Hopper);

/// <summary>One launch: blocks and dynamic shared memory.</summary>
internal readonly record struct Launch(uint GridX, uint GridY, int Threads, int SharedBytes);

/// <summary>A product as it will be launched: the kernel, how often k is split, and the parameters.</summary>
internal sealed class GemmPlan
{
    private GemmParameters _product, _reduce;

    private GemmPlan(GemmKernel kernel, int splits) => (Kernel, Splits) = (kernel, splits);

    /// <summary>The product's kernel.</summary>
    public GemmKernel Kernel { get; }

    /// <summary>Parts of k that are summed by different blocks; with more than one, <see cref="GemmReduce"/> follows.</summary>
    public int Splits { get; }

    /// <summary>Bytes of workspace for partial sums, 16-byte aligned; 0 without splits.</summary>
    public long WorkspaceBytes { get; private init; }

    /// <summary>Grid of the product.</summary>
    public Launch Product { get; private init; }

    /// <summary>Grid of the reduction of splits.</summary>
    public Launch Reduction { get; private init; }

    /// <summary>The product's parameter. With splits, C is the workspace.</summary>
    public GemmParameters ProductParameters(ulong workspace = 0) => Splits == 1 ? _product : _product with { C = workspace };

    /// <summary>The reduction's parameter.</summary>
    public GemmParameters ReductionParameters(ulong workspace) => _reduce with { Workspace = workspace };

    /// <summary>Chooses kernel and splits for a supported problem.</summary>
    public static GemmPlan Make(GemmProblem problem, GemmDevice device)
    {
        var (kernel, splits) = GemmChoice.Choose(problem, device);
        return Make(problem, kernel, splits);
    }

    /// <summary>The plan for a kernel that was chosen otherwise.</summary>
    public static GemmPlan Make(GemmProblem problem, GemmKernel kernel, int splits)
    {
        var (a, b) = (problem.AccessA!.Value, problem.AccessB!.Value);
        var tile = kernel.Tile;
        uint batches = (uint)(problem.Batch0 * problem.Batch1);
        int kTiles = Math.Max(1, (problem.K + kernel.TileK - 1) / kernel.TileK);
        int tilesPerSplit = (kTiles + splits - 1) / splits;
        // A split beyond the last tile would have nothing to do.
        splits = (kTiles + tilesPerSplit - 1) / tilesPerSplit;
        long columns = (problem.N + 3L) / 4 * 4;

        var parameters = new GemmParameters
        {
            A = problem.A.Address,
            B = problem.B.Address,
            StrideA = (ulong)a.Stride,
            StrideB = (ulong)b.Stride,
            M = (uint)problem.M,
            N = (uint)problem.N,
            K = (uint)problem.K,
            Batches = batches,
            InnerBatches = (uint)problem.Batch1,
            SplitK = (uint)(tilesPerSplit * kernel.TileK),
            Splits = (uint)splits,
            Group = 8,
        };
        (parameters.A0, parameters.A1) = Batches(problem.A);
        (parameters.B0, parameters.B1) = Batches(problem.B);
        var epilogue = Epilogue(parameters, problem);
        var partial = parameters;
        if (splits > 1)
        {
            long batchBytes = problem.M * columns * 4;
            partial = parameters with
            {
                RowC = (ulong)(columns * 4),
                ColumnC = 4,
                C0 = (ulong)(batchBytes * problem.Batch1),
                C1 = (ulong)batchBytes,
                SplitStride = (ulong)(batchBytes * batches),
                Flags = GemmFlags.Vector,
            };
            epilogue.WorkspaceRow = (ulong)(columns * 4);
            epilogue.WorkspaceBatch = (ulong)batchBytes;
            epilogue.SplitStride = partial.SplitStride;
        }
        return new(kernel, splits)
        {
            _product = splits > 1 ? partial : epilogue,
            _reduce = epilogue,
            WorkspaceBytes = splits > 1 ? splits * (long)partial.SplitStride : 0,
            Product = new(Tiles(problem, tile.M, tile.N) * batches, (uint)splits, tile.Threads, tile.SharedBytes),
            Reduction = new(Tiles(problem, GemmReduce.TileM, GemmReduce.TileN) * batches, 1, GemmReduce.Threads, 0),
        };
    }

    private static uint Tiles(GemmProblem problem, int m, int n) => (uint)((problem.M + m - 1) / m) * (uint)((problem.N + n - 1) / n);

    private static GemmParameters Epilogue(GemmParameters parameters, GemmProblem problem)
    {
        var (c, bias, residual) = (problem.C, problem.Bias, problem.Residual);
        (parameters.C, parameters.Bias, parameters.Residual) = (c.Address, bias.Address, residual.Address);
        (parameters.RowC, parameters.ColumnC) = (Bytes(c, c.Row), Bytes(c, c.Column));
        (parameters.RowResidual, parameters.ColumnResidual) = (Bytes(residual, residual.Row), Bytes(residual, residual.Column));
        parameters.ColumnBias = Bytes(bias, bias.Column);
        (parameters.C0, parameters.C1) = Batches(c);
        (parameters.Residual0, parameters.Residual1) = Batches(residual);
        (parameters.Bias0, parameters.Bias1) = Batches(bias);
        if (problem.Accumulate) parameters.Flags |= GemmFlags.Accumulate;
        if (c.Type == DType.BF16) parameters.Flags |= GemmFlags.CBFloat16;
        if (bias.Address != 0 && bias.Type == DType.BF16) parameters.Flags |= GemmFlags.BiasBFloat16;
        if (residual.Address != 0 && residual.Type == DType.BF16) parameters.Flags |= GemmFlags.ResidualBFloat16;
        if (problem.N % 4 == 0 && Quads(c) && Quads(residual) && Quads(bias)) parameters.Flags |= GemmFlags.Vector;
        // Interleaved columns: batches lie between each other's elements.
        if (c.Column > 1 && problem.Batch1 > 1 && c.Batch1 < c.Column) parameters.Flags |= GemmFlags.BatchInner;
        parameters.Flags |= problem.Activation switch
        {
            Activation.Gelu => GemmFlags.Gelu,
            Activation.Silu => GemmFlags.Silu,
            Activation.Relu => GemmFlags.Relu,
            _ => GemmFlags.None,
        };
        return parameters;
    }

    // Whether every group of four columns is one aligned access.
    private static bool Quads(in GemmMatrix matrix)
    {
        int bytes = matrix.Address == 0 ? 0 : 4 * matrix.Type.Size();
        return bytes == 0 ||
            (matrix.Column == 1 && matrix.Address % (uint)bytes == 0 && matrix.Row % 4 == 0 && matrix.Batch0 % 4 == 0 && matrix.Batch1 % 4 == 0);
    }

    private static (ulong, ulong) Batches(in GemmMatrix matrix) => (Bytes(matrix, matrix.Batch0), Bytes(matrix, matrix.Batch1));

    private static ulong Bytes(in GemmMatrix matrix, long elements) => matrix.Address == 0 ? 0 : (ulong)(elements * matrix.Type.Size());
}

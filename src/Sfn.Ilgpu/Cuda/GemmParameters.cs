using System.Runtime.InteropServices;

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>Run-time choices of a product's epilogue, as bits of <see cref="GemmParameters.Flags"/>.</summary>
[Flags]
internal enum GemmFlags : uint
{
    /// <summary>None.</summary>
    None = 0,
    /// <summary>C's old value is added.</summary>
    Accumulate = 1,
    /// <summary>C is bfloat16, else float32.</summary>
    CBFloat16 = 2,
    /// <summary>The bias is bfloat16.</summary>
    BiasBFloat16 = 4,
    /// <summary>The residual is bfloat16.</summary>
    ResidualBFloat16 = 8,
    /// <summary>C, bias and residual have unit column stride, four-element alignment, and n is a multiple of four (or C is padded to it).</summary>
    Vector = 16,
    /// <summary>Neighbouring blocks take the same tile of neighbouring batches, because those share sectors of C.</summary>
    BatchInner = 32,
    /// <summary>Gaussian error linear unit, tanh form.</summary>
    Gelu = 64,
    /// <summary>x·sigmoid(x).</summary>
    Silu = 128,
    /// <summary>max(x, 0).</summary>
    Relu = 256,
}

/// <summary>The single parameter of every product kernel. Addresses are device addresses, strides are bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GemmParameters
{
    /// <summary>First elements; bias and residual may be 0.</summary>
    public ulong A, B, C, Bias, Residual;

    /// <summary>Distance of neighbours along the operand's index that is not contiguous.</summary>
    public ulong StrideA, StrideB;

    /// <summary>Distances of neighbouring rows and columns.</summary>
    public ulong RowC, ColumnC, RowResidual, ColumnResidual, ColumnBias;

    /// <summary>Distances of neighbouring batches, outer and inner.</summary>
    public ulong A0, A1, B0, B1, C0, C1, Residual0, Residual1, Bias0, Bias1;

    /// <summary>Partial sums of the reduce kernel: float32 [split, batch, row, padded column].</summary>
    public ulong Workspace;

    /// <summary>Distances in the workspace.</summary>
    public ulong WorkspaceRow, WorkspaceBatch, SplitStride;

    /// <summary>Sizes.</summary>
    public uint M, N, K;

    /// <summary>All batches, and how many of them are inner ones.</summary>
    public uint Batches, InnerBatches;

    /// <summary>k per split, a multiple of the tile's; number of splits.</summary>
    public uint SplitK, Splits;

    /// <summary>Rows of tiles that are walked together, so that their operands stay in the cache.</summary>
    public uint Group;

    /// <summary>Epilogue.</summary>
    public GemmFlags Flags;

    /// <summary>Keeps the size a multiple of eight.</summary>
    public uint Padding;
}

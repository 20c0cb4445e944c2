using System.Runtime.CompilerServices;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Sizes, strides in elements and epilogue of a product c[b0, b1, m, n] = Σₖ a[b0, b1, m, k]·b[b0, b1, k, n].</summary>
internal struct MatMulParameters
{
    public int M, N, K, Batch0, Batch1;
    public long ABatch0, ABatch1, ARow, AColumn;
    public long BBatch0, BBatch1, BRow, BColumn;
    public long CBatch0, CBatch1, CRow, CColumn;
    public long BiasBatch0, BiasBatch1, BiasRow, BiasColumn;
    public long ResidualBatch0, ResidualBatch1, ResidualRow, ResidualColumn;
    public int Accumulate, HasBias, HasResidual, Activation;

    /// <summary>Parts that k is cut into, each of <see cref="KPart"/>; part s writes matrices of its own, <see cref="CSplit"/> elements further on.</summary>
    public int Splits, KPart;
    public long CSplit;

    /// <summary>Tiles of c along m and n.</summary>
    public int TilesM, TilesN;

    /// <summary>Rows of c in one thread, and quads in a row. The kernel knows the numbers; as arguments they keep loops over them loops.</summary>
    public int ThreadRows, ThreadQuads;

    /// <summary>Whether four neighbours in a row of c, and of the residual, are one aligned piece of memory.</summary>
    public int CVector;

    /// <summary>Whether the kernels for few rows read by quads.</summary>
    public int Quads;

    /// <summary>The same product as cᵀ = bᵀ·aᵀ.</summary>
    public readonly MatMulParameters Swapped()
    {
        var p = this;
        (p.M, p.N) = (N, M);
        (p.ABatch0, p.ABatch1, p.ARow, p.AColumn) = (BBatch0, BBatch1, BColumn, BRow);
        (p.BBatch0, p.BBatch1, p.BRow, p.BColumn) = (ABatch0, ABatch1, AColumn, ARow);
        (p.CRow, p.CColumn) = (CColumn, CRow);
        (p.BiasRow, p.BiasColumn) = (BiasColumn, BiasRow);
        (p.ResidualRow, p.ResidualColumn) = (ResidualColumn, ResidualRow);
        return p;
    }
}

/// <summary>What follows the product, in the order of the contract: what c holds, bias, activation, residual.</summary>
internal static class Epilogue
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Activate<L>(int activation, L x) where L : struct, ILane<L>
    {
        if (activation == (int)Activation.Gelu) return new Gelu().Forward(x);
        if (activation == (int)Activation.Silu) return new Silu().Forward(x);
        if (activation == (int)Activation.Relu) return new Relu().Forward(x);
        return x;
    }
}

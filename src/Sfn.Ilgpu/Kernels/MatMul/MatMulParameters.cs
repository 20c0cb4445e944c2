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

using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>The product in float64, one result per thread, any strides: for types whose values need it.</summary>
internal readonly struct MatMulWide<S> : IKernel where S : unmanaged, IWideElement<S>
{
    public static string Name => $"matmul_{S.Name}_wide";

    public static Delegate Body => (Action<MatMulParameters, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>>)Run;

    private static void Run(MatMulParameters p, ArrayView<S> a, ArrayView<S> b, ArrayView<S> c, ArrayView<S> bias, ArrayView<S> residual)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX, size = (long)p.M * p.N, batch = i / size;
        if (batch >= (long)p.Batch0 * p.Batch1) return;
        i -= batch * size;
        int m = (int)(i / p.N), n = (int)(i - (long)m * p.N), b0 = (int)(batch / p.Batch1), b1 = (int)(batch - (long)b0 * p.Batch1);
        long pa = b0 * p.ABatch0 + b1 * p.ABatch1 + m * p.ARow, pb = b0 * p.BBatch0 + b1 * p.BBatch1 + n * p.BColumn;
        G64 sum = new(0);
        for (int k = 0; k < p.K; k++) sum += S.LoadWide(a[pa + k * p.AColumn]) * S.LoadWide(b[pb + k * p.BRow]);
        long at = b0 * p.CBatch0 + b1 * p.CBatch1 + m * p.CRow + n * p.CColumn;
        if (p.Accumulate != 0) sum = S.LoadWide(c[at]) + sum;
        if (p.HasBias != 0) sum += S.LoadWide(bias[b0 * p.BiasBatch0 + b1 * p.BiasBatch1 + m * p.BiasRow + n * p.BiasColumn]);
        sum = Epilogue.Activate(p.Activation, sum);
        if (p.HasResidual != 0) sum += S.LoadWide(residual[b0 * p.ResidualBatch0 + b1 * p.ResidualBatch1 + m * p.ResidualRow + n * p.ResidualColumn]);
        c[at] = S.StoreWide(sum);
    }
}

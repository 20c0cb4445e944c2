using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>One result per thread, any strides: for what the tiled kernels do not take.</summary>
internal readonly struct MatMulSerial<A, B, C> : IKernel
    where A : unmanaged, IElement<A> where B : unmanaged, IElement<B> where C : unmanaged, IElement<C>
{
    public static string Name => $"matmul_{A.Name}_{B.Name}_{C.Name}_serial";

    public static Delegate Body => (Action<MatMulParameters, ArrayView<A>, ArrayView<B>, ArrayView<C>, ArrayView<F32>, ArrayView<C>>)Run;

    private static void Run(MatMulParameters p, ArrayView<A> a, ArrayView<B> b, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= (long)p.M * p.N) return;
        int m = (int)(i / p.N), n = (int)(i - (long)m * p.N), b0 = Grid.IdxY, b1 = Grid.IdxZ;
        long pa = b0 * p.ABatch0 + b1 * p.ABatch1 + m * p.ARow, pb = b0 * p.BBatch0 + b1 * p.BBatch1 + n * p.BColumn;
        G1 sum = new(0);
        for (int k = 0; k < p.K; k++) sum = G1.Fma(A.Load(a[pa + k * p.AColumn]), B.Load(b[pb + k * p.BRow]), sum);
        long at = b0 * p.CBatch0 + b1 * p.CBatch1 + m * p.CRow + n * p.CColumn;
        if (p.Accumulate != 0) sum = C.Load(c[at]) + sum;
        if (p.HasBias != 0) sum += F32.Load(bias[b0 * p.BiasBatch0 + b1 * p.BiasBatch1 + m * p.BiasRow + n * p.BiasColumn]);
        sum = Epilogue.Activate(p.Activation, sum);
        if (p.HasResidual != 0) sum += C.Load(residual[b0 * p.ResidualBatch0 + b1 * p.ResidualBatch1 + m * p.ResidualRow + n * p.ResidualColumn]);
        c[at] = C.Store(sum);
    }
}

/// <summary>The same in float64, all operands of one type.</summary>
internal readonly struct MatMulWide<S> : IKernel where S : unmanaged, IWideElement<S>
{
    public static string Name => $"matmul_{S.Name}_wide";

    public static Delegate Body => (Action<MatMulParameters, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>, ArrayView<S>>)Run;

    private static void Run(MatMulParameters p, ArrayView<S> a, ArrayView<S> b, ArrayView<S> c, ArrayView<S> bias, ArrayView<S> residual)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= (long)p.M * p.N) return;
        int m = (int)(i / p.N), n = (int)(i - (long)m * p.N), b0 = Grid.IdxY, b1 = Grid.IdxZ;
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

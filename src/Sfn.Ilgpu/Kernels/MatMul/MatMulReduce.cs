using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Adds the products of the parts of k in their order, and applies the epilogue: one result per thread.</summary>
internal readonly struct MatMulReduce<C> : IKernel where C : unmanaged, IElement<C>
{
    public static string Name => $"matmul_parts_{C.Name}";

    public static Delegate Body => (Action<MatMulParameters, ArrayView<F32>, ArrayView<C>, ArrayView<F32>, ArrayView<C>>)Run;

    private static void Run(MatMulParameters p, ArrayView<F32> parts, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
    {
        int i = IKernel.Global, size = p.M * p.N;
        if (i >= size * p.Batch0 * p.Batch1) return;
        G1 sum = F32.Load(parts[i]);
        for (int s = 1; s < p.Splits; s++) sum += F32.Load(parts[i + s * p.CSplit]);
        int batch = i / size, at = i - batch * size;
        TilePlace place = default;
        place.Batch0 = batch / p.Batch1;
        place.Batch1 = batch - place.Batch0 * p.Batch1;
        int row = at / p.N;
        TileStore.PutOne(p, place, row, at - row * p.N, sum, c, bias, residual);
    }
}

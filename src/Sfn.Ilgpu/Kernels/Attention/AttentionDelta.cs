using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// D = rowsum(dO ∘ O) of every row, [batch · kvHeads, rows], and the log-sum-exp as the gradients want it: +∞ for a row without keys, so that
/// its weights are exp(−∞) = 0. 16 threads per row.
/// </summary>
internal readonly struct AttentionDelta<E> : IKernel where E : unmanaged, IFloatElement<E>
{
    /// <summary>Rows of a block.</summary>
    public const int Rows = 8;

    public static string Name => $"attention_delta_{E.Name}";

    public static KernelSpecialization Bounds => new(AttentionBlock.Threads, null);

    public static Delegate Body => (Action<ArrayView<E>, ArrayView<E>, ArrayView<float>, ArrayView<float>, ArrayView<float>, AttentionArgs>)Run;

    private static void Run(ArrayView<E> o, ArrayView<E> dO, ArrayView<float> lse, ArrayView<float> delta, ArrayView<float> shift, AttentionArgs args)
    {
        var partial = SharedMemory.Allocate<float>(AttentionBlock.Threads);
        int t = Group.IdxX, x = t & 15;
        long number = (long)Grid.IdxX * Rows + (t >> 4), count = (long)args.Batch * args.KvHeads * args.RowCount;
        float sum = 0;
        if (number < count)
        {
            int pair = (int)(number / args.RowCount), row = (int)(number % args.RowCount), batch = pair / args.KvHeads, kvHead = pair % args.KvHeads;
            long a = AttentionBlock.RowOffset(args, args.O, batch, kvHead, row), b = AttentionBlock.RowOffset(args, args.DO, batch, kvHead, row);
            for (int d = x; d < args.Dim; d += 16) sum += E.Load(o[a + d]).V * E.Load(dO[b + d]).V;
        }
        partial[t] = sum;
        Group.Barrier();
        if (x == 0 && number < count)
        {
            float total = 0;
            for (int i = 0; i < 16; i++) total += partial[t + i];
            float l = lse[number];
            delta[number] = total;
            shift[number] = l == float.NegativeInfinity ? float.PositiveInfinity : l;
        }
    }
}

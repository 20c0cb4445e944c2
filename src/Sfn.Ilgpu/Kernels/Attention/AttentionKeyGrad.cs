using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// dK and dV (see <see cref="AttentionQueryGrad{TTile, E}"/>) of one tile of keys, which are the rows of the block: sums over the rows of all heads
/// of the group, 64 at a time, in their order. Blocks: batch · kvHeads · tiles of keys.
/// </summary>
internal readonly struct AttentionKeyGrad<TTile, E> : IKernel where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E>
{
    public static string Name => $"attention_dkv_{TTile.Name}_{E.Name}";

    public static bool IsLaunched => TTile.Rows > 1;

    public static KernelSpecialization Bounds => new(AttentionBlock.Threads, 2);

    public static Delegate Body => (Action<ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<float>,
        ArrayView<float>, ArrayView<byte>, AttentionArgs>)Run;

    private static void Run(ArrayView<E> q, ArrayView<E> k, ArrayView<E> v, ArrayView<E> dO, ArrayView<E> dk, ArrayView<E> dv, ArrayView<float> delta,
        ArrayView<float> shift, ArrayView<byte> mask, AttentionArgs args)
    {
        var staging = SharedMemory.Allocate<float>(AttentionBlock.Staging);
        var weights = SharedMemory.Allocate<float>(AttentionBlock.Columns * 8 * TTile.Rows);
        var keyOffsets = SharedMemory.Allocate<long>(8 * TTile.Rows);
        var valueOffsets = SharedMemory.Allocate<long>(8 * TTile.Rows);
        var rowOffsets = SharedMemory.Allocate<long>(AttentionBlock.Columns);
        var gradOffsets = SharedMemory.Allocate<long>(AttentionBlock.Columns);
        var ends = SharedMemory.Allocate<int>(AttentionBlock.Columns);
        var shifts = SharedMemory.Allocate<float>(AttentionBlock.Columns);
        var deltas = SharedMemory.Allocate<float>(AttentionBlock.Columns);
        var scores = LocalMemory.Allocate<float>(TTile.Rows * 4);
        var dots = LocalMemory.Allocate<float>(TTile.Rows * 4);
        var keyAcc = LocalMemory.Allocate<float>(TTile.Rows * TTile.Groups * 4);
        var valueAcc = LocalMemory.Allocate<float>(TTile.Rows * TTile.Groups * 4);

        int rows = 8 * TTile.Rows, t = Group.IdxX, y = t >> 4, x = t & 15;
        int pairs = args.Batch * args.KvHeads, pair = Grid.IdxX % pairs, batch = pair / args.KvHeads, kvHead = pair % args.KvHeads;
        int key = Grid.IdxX / pairs * rows;
        if (t < rows)
        {
            keyOffsets[t] = AttentionBlock.KeyOffset(args, args.K, mask, batch, kvHead, key + t, args.Tk);
            valueOffsets[t] = AttentionBlock.KeyOffset(args, args.V, mask, batch, kvHead, key + t, args.Tk);
        }
        for (int i = 0; i < TTile.Rows * TTile.Groups * 4; i++)
        {
            keyAcc[i] = 0;
            valueAcc[i] = 0;
        }

        for (int first = 0; first < args.RowCount; first += AttentionBlock.Columns)
        {
            if (AttentionBlock.TileEnd(args, first, AttentionBlock.Columns) <= key) continue;
            Group.Barrier();
            if (t < AttentionBlock.Columns)
            {
                int row = first + t;
                bool exists = row < args.RowCount;
                long number = (long)pair * args.RowCount + row;
                rowOffsets[t] = AttentionBlock.RowOffset(args, args.Q, batch, kvHead, row);
                gradOffsets[t] = AttentionBlock.RowOffset(args, args.DO, batch, kvHead, row);
                ends[t] = exists ? args.KeyEnd(row % args.Tq) : 0;
                shifts[t] = exists ? shift[number] : 0f;
                deltas[t] = exists ? delta[number] : 0f;
            }
            AttentionBlock.Scores<TTile, E>(scores, staging, k, keyOffsets, q, rowOffsets, args.Dim);
            AttentionBlock.Scores<TTile, E>(dots, staging, v, valueOffsets, dO, gradOffsets, args.Dim);
            for (int r = 0; r < TTile.Rows; r++)
            {
                int number = keyOffsets[y * TTile.Rows + r] >= 0 ? key + y * TTile.Rows + r : int.MaxValue;
                for (int c = 0; c < 4; c++)
                {
                    int column = x * 4 + c;
                    scores[r * 4 + c] = number < ends[column] ? scores[r * 4 + c] * args.Scale - shifts[column] : float.NegativeInfinity;
                    dots[r * 4 + c] -= deltas[column];
                }
            }
            AttentionBlock.WriteWeights<TTile>(weights, scores);
            AttentionBlock.Exponentiate<TTile>(weights);
            AttentionBlock.ReadWeights<TTile>(scores, weights);
            for (int i = 0; i < TTile.Rows * 4; i++) dots[i] *= scores[i];
            AttentionBlock.Accumulate<TTile, E>(valueAcc, staging, weights, dO, gradOffsets, args.Column, args.Dim);
            Group.Barrier();
            AttentionBlock.WriteWeights<TTile>(weights, dots);
            AttentionBlock.Accumulate<TTile, E>(keyAcc, staging, weights, q, rowOffsets, args.Column, args.Dim);
        }

        Group.Barrier();
        if (t < rows)
        {
            bool exists = key + t < args.Tk;
            keyOffsets[t] = exists ? args.DK.At(batch, key + t, kvHead) : -1;
            valueOffsets[t] = exists ? args.DV.At(batch, key + t, kvHead) : -1;
        }
        for (int i = 0; i < TTile.Rows * TTile.Groups * 4; i++) keyAcc[i] *= args.Scale;
        AttentionBlock.Write<TTile, E>(dk, keyOffsets, weights, keyAcc, args.Column, args.Dim);
        AttentionBlock.Write<TTile, E>(dv, valueOffsets, weights, valueAcc, args.Column, args.Dim);
    }
}

using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// Gradients of attention, the weights computed again from the log-sum-exp (Dao et al. 2022, algorithm 4): with P = exp(S − lse) and
/// D = rowsum(dO ∘ O), dV = Pᵀ dO, dS = P ∘ (dO Vᵀ − D), dQ = scale · dS K, dK = scale · dSᵀ Q.
/// </summary>
/// <remarks>
/// Queries and keys get a kernel each, so that every sum is one block's, in one order, and needs no atomics; the price is that the scores
/// are computed twice.
/// </remarks>
internal readonly struct AttentionQueryGrad<TTile, E> : IKernel where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E>
{
    public static string Name => $"attention_dq_{TTile.Name}_{E.Name}";

    public static bool IsLaunched => TTile.Rows > 1;

    public static KernelSpecialization Bounds => new(AttentionBlock.Threads, 3);

    public static Delegate Body => (Action<ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<float>, ArrayView<float>,
        ArrayView<byte>, AttentionArgs>)Run;

    // One tile of rows; blocks: batch · kvHeads · tiles of rows, the last rows first.
    private static void Run(ArrayView<E> q, ArrayView<E> k, ArrayView<E> v, ArrayView<E> dO, ArrayView<E> dq, ArrayView<float> delta,
        ArrayView<float> shift, ArrayView<byte> mask, AttentionArgs args)
    {
        var staging = SharedMemory.Allocate<float>(AttentionBlock.Staging);
        var weights = SharedMemory.Allocate<float>(AttentionBlock.Columns * 8 * TTile.Rows);
        var rowOffsets = SharedMemory.Allocate<long>(8 * TTile.Rows);
        var gradOffsets = SharedMemory.Allocate<long>(8 * TTile.Rows);
        var keyOffsets = SharedMemory.Allocate<long>(AttentionBlock.Columns);
        var valueOffsets = SharedMemory.Allocate<long>(AttentionBlock.Columns);
        var ends = SharedMemory.Allocate<int>(8 * TTile.Rows);
        var shifts = SharedMemory.Allocate<float>(8 * TTile.Rows);
        var deltas = SharedMemory.Allocate<float>(8 * TTile.Rows);
        var scores = LocalMemory.Allocate<float>(TTile.Rows * 4);
        var dots = LocalMemory.Allocate<float>(TTile.Rows * 4);
        var acc = LocalMemory.Allocate<float>(TTile.Rows * TTile.Groups * 4);

        int rows = 8 * TTile.Rows, t = Group.IdxX, y = t >> 4, x = t & 15;
        int pairs = args.Batch * args.KvHeads, pair = Grid.IdxX % pairs, batch = pair / args.KvHeads, kvHead = pair % args.KvHeads;
        int tiles = (args.RowCount + rows - 1) / rows, firstRow = (tiles - 1 - Grid.IdxX / pairs) * rows;
        int keyEnd = AttentionBlock.TileEnd(args, firstRow, rows);

        if (t < rows)
        {
            int row = firstRow + t;
            bool exists = row < args.RowCount;
            long number = (long)pair * args.RowCount + row;
            rowOffsets[t] = AttentionBlock.RowOffset(args, args.Q, batch, kvHead, row);
            gradOffsets[t] = AttentionBlock.RowOffset(args, args.DO, batch, kvHead, row);
            ends[t] = exists ? args.KeyEnd(row % args.Tq) : 0;
            shifts[t] = exists ? shift[number] : 0f;
            deltas[t] = exists ? delta[number] : 0f;
        }
        for (int i = 0; i < TTile.Rows * TTile.Groups * 4; i++) acc[i] = 0;

        for (int key = 0; key < keyEnd; key += AttentionBlock.Columns)
        {
            if (t < AttentionBlock.Columns)
            {
                keyOffsets[t] = AttentionBlock.KeyOffset(args, args.K, mask, batch, kvHead, key + t, keyEnd);
                valueOffsets[t] = AttentionBlock.KeyOffset(args, args.V, mask, batch, kvHead, key + t, keyEnd);
            }
            AttentionBlock.Scores<TTile, E>(scores, staging, q, rowOffsets, k, keyOffsets, args.Dim);
            AttentionBlock.Scores<TTile, E>(dots, staging, dO, gradOffsets, v, valueOffsets, args.Dim);
            for (int c = 0; c < 4; c++)
            {
                int column = x * 4 + c, number = keyOffsets[column] >= 0 ? key + column : int.MaxValue;
                for (int r = 0; r < TTile.Rows; r++)
                {
                    int row = y * TTile.Rows + r;
                    scores[r * 4 + c] = number < ends[row] ? scores[r * 4 + c] * args.Scale - shifts[row] : float.NegativeInfinity;
                    dots[r * 4 + c] -= deltas[row];
                }
            }
            AttentionBlock.WriteWeights<TTile>(weights, scores);
            AttentionBlock.Exponentiate<TTile>(weights);
            AttentionBlock.ReadWeights<TTile>(scores, weights);
            for (int i = 0; i < TTile.Rows * 4; i++) dots[i] *= scores[i];
            AttentionBlock.WriteWeights<TTile>(weights, dots);
            AttentionBlock.Accumulate<TTile, E>(acc, staging, weights, k, keyOffsets, args.Column, args.Dim);
            Group.Barrier();
        }

        if (t < rows) rowOffsets[t] = AttentionBlock.RowOffset(args, args.DQ, batch, kvHead, firstRow + t);
        for (int i = 0; i < TTile.Rows * TTile.Groups * 4; i++) acc[i] *= args.Scale;
        AttentionBlock.Write<TTile, E>(dq, rowOffsets, weights, acc, args.Column, args.Dim);
    }
}

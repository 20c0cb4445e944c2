using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// Attention with a running softmax (Dao et al. 2022, arXiv 2205.14135, algorithm 1) for any accelerator: one block per tile of rows,
/// which walks over tiles of 64 keys. No matrix of scores ever reaches memory.
/// </summary>
/// <remarks>
/// A block takes one tile of rows and one part of the keys. With one part, o and lse are the result; with several, o is
/// [batch · kvHeads, rows, parts, dim] and lse [batch · kvHeads, rows, parts], to be joined by <see cref="AttentionCombine{O}"/>. Blocks: batch · kvHeads ·
/// parts · tiles of rows, the last rows first, since they see the most keys.
/// </remarks>
internal readonly struct AttentionForward<TTile, E, O> : IKernel
    where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E> where O : unmanaged, IFloatElement<O>
{
    public static string Name => $"attention_{TTile.Name}_{E.Name}_{O.Name}";

    public static bool IsLaunched => typeof(E) == typeof(O) || typeof(O) == typeof(F32);

    public static KernelSpecialization Bounds => new(AttentionBlock.Threads, TTile.Rows == 1 ? 4 : 3);

    public static Delegate Body =>
        (Action<ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<O>, ArrayView<float>, ArrayView<byte>, AttentionArgs>)Run;

    private static void Run(ArrayView<E> q, ArrayView<E> k, ArrayView<E> v, ArrayView<O> o, ArrayView<float> lse, ArrayView<byte> mask, AttentionArgs args)
    {
        var staging = SharedMemory.Allocate<float>(AttentionBlock.Staging);
        var weights = SharedMemory.Allocate<float>(AttentionBlock.Columns * 8 * TTile.Rows);
        var rowOffsets = SharedMemory.Allocate<long>(8 * TTile.Rows);
        var keyOffsets = SharedMemory.Allocate<long>(AttentionBlock.Columns);
        var valueOffsets = SharedMemory.Allocate<long>(AttentionBlock.Columns);
        var ends = SharedMemory.Allocate<int>(8 * TTile.Rows);
        var factors = SharedMemory.Allocate<float>(8 * TTile.Rows);
        var partial = SharedMemory.Allocate<float>(AttentionBlock.Threads);
        var scores = LocalMemory.Allocate<float>(TTile.Rows * 4);
        var acc = LocalMemory.Allocate<float>(TTile.Rows * TTile.Groups * 4);

        int rows = 8 * TTile.Rows, t = Group.IdxX, y = t >> 4, x = t & 15;
        int split = Grid.IdxX % args.Splits, rest = Grid.IdxX / args.Splits, pairs = args.Batch * args.KvHeads;
        int pair = rest % pairs, batch = pair / args.KvHeads, kvHead = pair % args.KvHeads;
        int tiles = (args.RowCount + rows - 1) / rows, firstRow = (tiles - 1 - rest / pairs) * rows;
        int key = split * args.SplitKeys, keyEnd = Math.Min(AttentionBlock.TileEnd(args, firstRow, rows), key + args.SplitKeys);

        if (t < rows)
        {
            int row = firstRow + t;
            rowOffsets[t] = AttentionBlock.RowOffset(args, args.Q, batch, kvHead, row);
            ends[t] = row < args.RowCount ? args.KeyEnd(row % args.Tq) : 0;
        }
        for (int i = 0; i < TTile.Rows * TTile.Groups * 4; i++) acc[i] = 0;
        // In the softmax, threads t, t + rows, t + 2 rows … share row t % rows, each with its own 4·Rows columns.
        int mine = t % rows, firstColumn = t / rows * (4 * TTile.Rows);
        float max = float.NegativeInfinity, sum = 0;

        for (; key < keyEnd; key += AttentionBlock.Columns)
        {
            if (t < AttentionBlock.Columns)
            {
                keyOffsets[t] = AttentionBlock.KeyOffset(args, args.K, mask, batch, kvHead, key + t, keyEnd);
                valueOffsets[t] = AttentionBlock.KeyOffset(args, args.V, mask, batch, kvHead, key + t, keyEnd);
            }
            AttentionBlock.Scores<TTile, E>(scores, staging, q, rowOffsets, k, keyOffsets, args.Dim);
            for (int c = 0; c < 4; c++)
            {
                int column = x * 4 + c;
                int number = keyOffsets[column] >= 0 ? key + column : int.MaxValue;
                for (int r = 0; r < TTile.Rows; r++)
                    scores[r * 4 + c] = number < ends[y * TTile.Rows + r] ? scores[r * 4 + c] * args.Scale : float.NegativeInfinity;
            }
            AttentionBlock.WriteWeights<TTile>(weights, scores);
            Group.Barrier();

            // NaN is passed over here; its weight brings it into the sum.
            float top = max;
            for (int c = 0; c < 4 * TTile.Rows; c++)
            {
                float s = weights[AttentionBlock.Weight(firstColumn + c, mine, rows)];
                top = s > top ? s : top;
            }
            partial[t] = top;
            Group.Barrier();
            for (int c = 0; c < AttentionBlock.Threads / (8 * TTile.Rows); c++)
            {
                float s = partial[c * rows + mine];
                top = s > top ? s : top;
            }
            // A row that has seen no key yet keeps −∞; subtracting 0 instead gives exp(−∞) = 0 where −∞ − −∞ would give NaN.
            float shift = top == float.NegativeInfinity ? 0f : top;
            float factor = FloatMath.Exp(new G1(max - shift)).V;
            max = top;
            sum *= factor;
            for (int c = 0; c < 4 * TTile.Rows; c++)
            {
                int at = AttentionBlock.Weight(firstColumn + c, mine, rows);
                float weight = FloatMath.Exp(new G1(weights[at] - shift)).V;
                sum += weight;
                weights[at] = weight;
            }
            if (t < rows) factors[t] = factor;
            Group.Barrier();

            for (int r = 0; r < TTile.Rows; r++)
            {
                float f = factors[y * TTile.Rows + r];
                for (int g = 0; g < TTile.Groups; g++)
                    for (int c = 0; c < 4; c++) acc[(g * TTile.Rows + r) * 4 + c] *= f;
            }
            AttentionBlock.Accumulate<TTile, E>(acc, staging, weights, v, valueOffsets, args.Column, args.Dim);
            Group.Barrier();
        }

        partial[t] = sum;
        Group.Barrier();
        if (t < rows)
        {
            float total = 0;
            for (int c = 0; c < AttentionBlock.Threads / (8 * TTile.Rows); c++) total += partial[c * rows + t];
            factors[t] = total == 0f ? 0f : 1f / total;
            int row = firstRow + t;
            if (row < args.RowCount)
            {
                lse[((long)pair * args.RowCount + row) * args.Splits + split] = max + FloatMath.Log(new G1(total)).V;
                rowOffsets[t] = args.Splits > 1
                    ? (((long)pair * args.RowCount + row) * args.Splits + split) * args.Dim
                    : AttentionBlock.RowOffset(args, args.O, batch, kvHead, row);
            }
        }
        Group.Barrier();
        for (int r = 0; r < TTile.Rows; r++)
        {
            float f = factors[y * TTile.Rows + r];
            for (int g = 0; g < TTile.Groups; g++)
                for (int c = 0; c < 4; c++) acc[(g * TTile.Rows + r) * 4 + c] *= f;
        }
        AttentionBlock.Write<TTile, O>(o, rowOffsets, weights, acc, args.Column, args.Dim);
    }
}

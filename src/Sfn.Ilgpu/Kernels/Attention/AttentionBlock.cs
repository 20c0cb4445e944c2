using System.Runtime.CompilerServices;
using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// What attention kernels are made of: a block of 128 threads, 8 (rows) by 16 (columns), that multiplies tiles staged in shared memory.
/// Thread (y, x) owns rows y·Rows + r and columns x·4 + c of a tile of scores, and columns g·64 + x·4 + c of an output.
/// </summary>
/// <remarks>
/// Rows come through tables of element offsets in shared memory; a negative offset is a row that does not exist and reads as 0. Tiles of
/// operands are stored depth first, [depth, row], with the rows of a depth exchanged in groups of four (xor), so that neither the
/// transposing stores nor the loads of four neighbours meet in a memory bank.
/// </remarks>
internal static class AttentionBlock
{
    /// <summary>Threads of a block.</summary>
    public const int Threads = 128;

    /// <summary>Keys (or, in the gradient of the keys, queries) of a tile of scores.</summary>
    public const int Columns = 64;

    /// <summary>Head dimensions multiplied between two barriers.</summary>
    public const int Depth = 16;

    /// <summary>Floats of the staging area: two operands of a chunk of scores, or the rows of one chunk of an output.</summary>
    public const int Staging = 2048;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Place of (depth, row) in a staged operand.</summary>
    [MethodImpl(Inline)]
    public static int Staged(int depth, int row, int rows) => depth * rows + (row ^ (((depth & 7) << 2) & (rows - 1)));

    /// <summary>Place of (column, row) in the tile of weights. Here four neighbouring columns share an exchange: one thread writes them.</summary>
    [MethodImpl(Inline)]
    public static int Weight(int column, int row, int rows) => column * rows + (row ^ ((((column >> 2) & 7) << 2) & (rows - 1)));

    /// <summary>Stages head dimensions [first, first + 16) of <paramref name="rows"/> rows of <paramref name="source"/>.</summary>
    [MethodImpl(Inline)]
    public static void Stage<E>(ArrayView<float> target, ArrayView<E> source, ArrayView<long> offsets, int rows, int first, int dim)
        where E : unmanaged, IFloatElement<E>
    {
        // Eight neighbouring threads read 32 bytes of one row.
        for (int i = 0; i < rows * Depth / Threads; i++)
        {
            int e = Group.IdxX + i * Threads, row = (e >> 3) % rows, depth = (e & 7) + (e >> 3) / rows * 8;
            long at = offsets[row];
            float x = 0;
            if (at >= 0 && first + depth < dim) x = E.Load(source[at + (first + depth)]).V;
            target[Staged(depth, row, rows)] = x;
        }
    }

    /// <summary>acc[r, c] := Σ over the head dimension of left[row r] · right[column c].</summary>
    [MethodImpl(Inline)]
    public static void Scores<TTile, E>(ArrayView<float> acc, ArrayView<float> staging, ArrayView<E> left, ArrayView<long> leftOffsets,
        ArrayView<E> right, ArrayView<long> rightOffsets, int dim) where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E>
    {
        int rows = 8 * TTile.Rows, y = Group.IdxX >> 4, x = Group.IdxX & 15;
        var a = staging.SubView(0, Depth * 8 * TTile.Rows);
        var b = staging.SubView(Staging / 2, Depth * Columns);
        var b4 = b.Cast<F32x4>();
        var ra = LocalMemory.Allocate<float>(TTile.Rows);
        for (int i = 0; i < TTile.Rows * 4; i++) acc[i] = 0;
        for (int first = 0; first < dim; first += Depth)
        {
            Group.Barrier();
            Stage(a, left, leftOffsets, 8 * TTile.Rows, first, dim);
            Stage(b, right, rightOffsets, Columns, first, dim);
            Group.Barrier();
            for (int d = 0; d < Depth; d++)
            {
                ReadRows<TTile>(ra, a, d * rows, y, ((d & 7) << 2) & (rows - 1));
                F32x4 rb = b4[Staged(d, x * 4, Columns) >> 2];
                for (int r = 0; r < TTile.Rows; r++)
                {
                    acc[r * 4] += ra[r] * rb.X;
                    acc[r * 4 + 1] += ra[r] * rb.Y;
                    acc[r * 4 + 2] += ra[r] * rb.Z;
                    acc[r * 4 + 3] += ra[r] * rb.W;
                }
            }
        }
    }

    /// <summary>acc[r, columns from the first on] += Σ over the 64 columns of the weights of weight[column, row r] · source[column].</summary>
    [MethodImpl(Inline)]
    public static void Accumulate<TTile, E>(ArrayView<float> acc, ArrayView<float> staging, ArrayView<float> weights,
        ArrayView<E> source, ArrayView<long> offsets, int firstColumn, int dim) where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E>
    {
        int rows = 8 * TTile.Rows, y = Group.IdxX >> 4, x = Group.IdxX & 15;
        var staged4 = staging.Cast<F32x4>();
        var ra = LocalMemory.Allocate<float>(TTile.Rows);
        for (int first = 0; first < Columns; first += Staging / (64 * TTile.Groups))
        {
            Group.Barrier();
            for (int i = 0; i < Staging / Threads; i++)
            {
                int e = Group.IdxX + i * Threads, row = e / (64 * TTile.Groups), d = firstColumn + e % (64 * TTile.Groups);
                long at = offsets[first + row];
                float value = 0;
                if (at >= 0 && d < dim) value = E.Load(source[at + d]).V;
                staging[e] = value;
            }
            Group.Barrier();
            for (int k = 0; k < Staging / (64 * TTile.Groups); k++)
            {
                int column = first + k;
                ReadRows<TTile>(ra, weights, column * rows, y, (((column >> 2) & 7) << 2) & (rows - 1));
                for (int g = 0; g < TTile.Groups; g++)
                {
                    F32x4 b = staged4[(k * TTile.Groups + g) * 16 + x];
                    for (int r = 0; r < TTile.Rows; r++)
                    {
                        int i = (g * TTile.Rows + r) * 4;
                        acc[i] += ra[r] * b.X;
                        acc[i + 1] += ra[r] * b.Y;
                        acc[i + 2] += ra[r] * b.Z;
                        acc[i + 3] += ra[r] * b.W;
                    }
                }
            }
        }
    }

    /// <summary>The rows of this thread at one depth, four at a time where a thread has four.</summary>
    [MethodImpl(Inline)]
    private static void ReadRows<TTile>(ArrayView<float> to, ArrayView<float> from, int start, int y, int exchange) where TTile : struct, IAttentionTile
    {
        if (TTile.Rows < 4)
        {
            for (int r = 0; r < TTile.Rows; r++) to[r] = from[start + ((y * TTile.Rows + r) ^ exchange)];
            return;
        }
        var from4 = from.Cast<F32x4>();
        for (int r = 0; r < TTile.Rows / 4; r++)
        {
            F32x4 v = from4[(start + ((y * TTile.Rows + r * 4) ^ exchange)) >> 2];
            to[r * 4] = v.X;
            to[r * 4 + 1] = v.Y;
            to[r * 4 + 2] = v.Z;
            to[r * 4 + 3] = v.W;
        }
    }

    /// <summary>Writes this thread's scores to the tile of weights.</summary>
    [MethodImpl(Inline)]
    public static void WriteWeights<TTile>(ArrayView<float> weights, ArrayView<float> acc) where TTile : struct, IAttentionTile
    {
        int rows = 8 * TTile.Rows, y = Group.IdxX >> 4, x = Group.IdxX & 15;
        for (int c = 0; c < 4; c++)
        {
            int column = x * 4 + c;
            if (TTile.Rows < 4)
            {
                for (int r = 0; r < TTile.Rows; r++) weights[Weight(column, y * TTile.Rows + r, rows)] = acc[r * 4 + c];
            }
            else
            {
                var weights4 = weights.Cast<F32x4>();
                for (int r = 0; r < TTile.Rows / 4; r++)
                {
                    weights4[Weight(column, y * TTile.Rows + r * 4, rows) >> 2] = new F32x4
                    {
                        X = acc[r * 16 + c], Y = acc[r * 16 + 4 + c], Z = acc[r * 16 + 8 + c], W = acc[r * 16 + 12 + c],
                    };
                }
            }
        }
    }

    /// <summary>Reads this thread's part of the tile of weights back.</summary>
    [MethodImpl(Inline)]
    public static void ReadWeights<TTile>(ArrayView<float> acc, ArrayView<float> weights) where TTile : struct, IAttentionTile
    {
        int rows = 8 * TTile.Rows, y = Group.IdxX >> 4, x = Group.IdxX & 15;
        var weights4 = weights.Cast<F32x4>();
        for (int c = 0; c < 4; c++)
        {
            for (int r = 0; r < TTile.Rows / 4; r++)
            {
                F32x4 v = weights4[Weight(x * 4 + c, y * TTile.Rows + r * 4, rows) >> 2];
                acc[r * 16 + c] = v.X;
                acc[r * 16 + 4 + c] = v.Y;
                acc[r * 16 + 8 + c] = v.Z;
                acc[r * 16 + 12 + c] = v.W;
            }
        }
    }

    /// <summary>
    /// The tile of weights := exp of itself. In registers the loop over a thread's 32 scores would be too long to unroll, and the scores would
    /// then live in local memory.
    /// </summary>
    [MethodImpl(Inline)]
    public static void Exponentiate<TTile>(ArrayView<float> weights) where TTile : struct, IAttentionTile
    {
        Group.Barrier();
        for (int i = Group.IdxX; i < Columns * 8 * TTile.Rows; i += Threads) weights[i] = FloatMath.Exp(new G1(weights[i])).V;
        Group.Barrier();
    }

    /// <summary>Writes an output of this block, 64 columns at a time, by way of shared memory so that a row's elements go out side by side.</summary>
    [MethodImpl(Inline)]
    public static void Write<TTile, E>(ArrayView<E> target, ArrayView<long> offsets, ArrayView<float> buffer, ArrayView<float> acc, int firstColumn, int dim)
        where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E>
    {
        // Spelled out: a loop around barriers would not unroll, and acc would not be registers.
        WriteGroup<TTile, E>(target, offsets, buffer, acc, firstColumn, dim, 0);
        if (TTile.Groups > 1) WriteGroup<TTile, E>(target, offsets, buffer, acc, firstColumn, dim, 1);
        if (TTile.Groups > 2) WriteGroup<TTile, E>(target, offsets, buffer, acc, firstColumn, dim, 2);
        if (TTile.Groups > 3) WriteGroup<TTile, E>(target, offsets, buffer, acc, firstColumn, dim, 3);
    }

    [MethodImpl(Inline)]
    private static void WriteGroup<TTile, E>(ArrayView<E> target, ArrayView<long> offsets, ArrayView<float> buffer, ArrayView<float> acc, int firstColumn,
        int dim, int g)
        where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E>
    {
        int y = Group.IdxX >> 4, x = Group.IdxX & 15;
        var buffer4 = buffer.Cast<F32x4>();
        Group.Barrier();
        for (int r = 0; r < TTile.Rows; r++)
        {
            int i = (g * TTile.Rows + r) * 4;
            buffer4[(y * TTile.Rows + r) * 16 + x] = new F32x4 { X = acc[i], Y = acc[i + 1], Z = acc[i + 2], W = acc[i + 3] };
        }
        Group.Barrier();
        for (int i = 0; i < TTile.Rows * 4; i++)
        {
            int e = Group.IdxX + i * Threads, d = firstColumn + g * 64 + (e & 63);
            long at = offsets[e >> 6];
            if (at >= 0 && d < dim) target[at + d] = E.Store(new(buffer[e]));
        }
    }

    /// <summary>Number of the first key that none of the rows [first, first + rows) sees.</summary>
    [MethodImpl(Inline)]
    public static int TileEnd(AttentionArgs args, int first, int rows)
    {
        int last = Math.Min(first + rows, args.RowCount) - 1;
        // A tile that reaches into the next head holds a last query, which sees every key.
        return args.KeyEnd(first / args.Tq == last / args.Tq ? last % args.Tq : args.Tq - 1);
    }

    /// <summary>Element offset of row <paramref name="row"/> (of the group's heads times queries), −1 behind the last.</summary>
    [MethodImpl(Inline)]
    public static long RowOffset(AttentionArgs args, AttentionStrides strides, int batch, int kvHead, int row)
    {
        if (row >= args.RowCount) return -1;
        int head = row / args.Tq, query = row - head * args.Tq;
        return strides.At(batch, query, kvHead * (args.Heads / args.KvHeads) + head);
    }

    /// <summary>Element offset of a key, −1 behind <paramref name="end"/> and for a masked key, which takes part in nothing.</summary>
    [MethodImpl(Inline)]
    public static long KeyOffset(AttentionArgs args, AttentionStrides strides, ArrayView<byte> mask, int batch, int kvHead, int key, int end)
    {
        if (key >= end) return -1;
        if (args.Masked != 0 && mask[batch * args.MaskBatch + key * args.MaskKey] == 0) return -1;
        return strides.At(batch, key, kvHead);
    }
}

using System.Runtime.CompilerServices;
using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Which tile, batch and part of k a group has.</summary>
internal struct TilePlace
{
    public int M, N, Batch0, Batch1, Split, Begin, End;

    /// <summary>
    /// Tiles are counted down columns of eight tiles, then along n: the groups that run together share rows of a and columns of b in the cache.
    /// All counts are in the first dimension of the launch, which alone may pass 65535.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TilePlace Of(in MatMulParameters p, int rows, int columns)
    {
        TilePlace place = default;
        uint tile = (uint)Grid.IdxX;
        if (p.Splits * p.Batch0 * p.Batch1 > 1)
        {
            uint tiles = (uint)(p.TilesM * p.TilesN), rest = tile / tiles, batch = rest / (uint)p.Splits, outer = batch / (uint)p.Batch1;
            tile -= rest * tiles;
            place.Split = (int)(rest - batch * (uint)p.Splits);
            place.Batch0 = (int)outer;
            place.Batch1 = (int)(batch - outer * (uint)p.Batch1);
        }
        if (p.TilesM == 1) place.N = (int)tile * columns;
        else
        {
            uint first = tile / (8 * (uint)p.TilesN) * 8, within = tile - first * (uint)p.TilesN, left = (uint)p.TilesM - first, high = left < 8 ? left : 8;
            uint column = within / high;
            place.M = (int)(first + within - column * high) * rows;
            place.N = (int)column * columns;
        }
        place.Begin = place.Split * p.KPart;
        place.End = p.KPart < p.K - place.Begin ? place.Begin + p.KPart : p.K;
        return place;
    }

    /// <summary>How many numbers <see cref="Save"/> writes.</summary>
    public const int Numbers = 5;

    /// <summary>Writes what the store of results needs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Save(ArrayView<int> to)
    {
        to[0] = M;
        to[1] = N;
        to[2] = Batch0;
        to[3] = Batch1;
        to[4] = Split;
    }

    /// <summary>What <see cref="Save"/> wrote.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TilePlace Saved(ArrayView<int> from) => new() { M = from[0], N = from[1], Batch0 = from[2], Batch1 = from[3], Split = from[4] };
}

/// <summary>Stores results with the epilogue.</summary>
internal static class TileStore
{
    /// <summary>Four neighbours of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<C, QC>(in MatMulParameters p, in TilePlace place, int row, int column, float x0, float x1, float x2, float x3,
        ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
        where C : unmanaged, IElement<C> where QC : unmanaged, IQuad<QC, C>
    {
        if (column >= p.N) return;
        if (p.CVector == 0)
        {
            PutOne(p, place, row, column, new(x0), c, bias, residual);
            if (column + 1 < p.N) PutOne(p, place, row, column + 1, new(x1), c, bias, residual);
            if (column + 2 < p.N) PutOne(p, place, row, column + 2, new(x2), c, bias, residual);
            if (column + 3 < p.N) PutOne(p, place, row, column + 3, new(x3), c, bias, residual);
            return;
        }
        G1 y0 = new(x0), y1 = new(x1), y2 = new(x2), y3 = new(x3);
        long at = place.Batch0 * p.CBatch0 + place.Batch1 * p.CBatch1 + place.Split * p.CSplit + row * p.CRow + column;
        if (p.Accumulate != 0)
        {
            QC old = c.Cast<QC>()[at >> 2];
            y0 = QC.A(old) + y0;
            y1 = QC.B(old) + y1;
            y2 = QC.C(old) + y2;
            y3 = QC.D(old) + y3;
        }
        if (p.HasBias != 0)
        {
            long add = place.Batch0 * p.BiasBatch0 + place.Batch1 * p.BiasBatch1 + row * p.BiasRow + column * p.BiasColumn;
            y0 += F32.Load(bias[add]);
            y1 += F32.Load(bias[add + p.BiasColumn]);
            y2 += F32.Load(bias[add + 2 * p.BiasColumn]);
            y3 += F32.Load(bias[add + 3 * p.BiasColumn]);
        }
        if (p.Activation != 0)
        {
            y0 = Epilogue.Activate(p.Activation, y0);
            y1 = Epilogue.Activate(p.Activation, y1);
            y2 = Epilogue.Activate(p.Activation, y2);
            y3 = Epilogue.Activate(p.Activation, y3);
        }
        if (p.HasResidual != 0)
        {
            QC more = residual.Cast<QC>()[(place.Batch0 * p.ResidualBatch0 + place.Batch1 * p.ResidualBatch1 + row * p.ResidualRow + column) >> 2];
            y0 += QC.A(more);
            y1 += QC.B(more);
            y2 += QC.C(more);
            y3 += QC.D(more);
        }
        c.Cast<QC>()[at >> 2] = QC.Of(y0, y1, y2, y3);
    }

    /// <summary>One result, any strides.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PutOne<C>(in MatMulParameters p, in TilePlace place, int row, int column, G1 x,
        ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual) where C : unmanaged, IElement<C>
    {
        long at = place.Batch0 * p.CBatch0 + place.Batch1 * p.CBatch1 + place.Split * p.CSplit + row * p.CRow + column * p.CColumn;
        if (p.Accumulate != 0) x = C.Load(c[at]) + x;
        if (p.HasBias != 0)
            x += F32.Load(bias[place.Batch0 * p.BiasBatch0 + place.Batch1 * p.BiasBatch1 + row * p.BiasRow + column * p.BiasColumn]);
        if (p.Activation != 0) x = Epilogue.Activate(p.Activation, x);
        if (p.HasResidual != 0)
            x += C.Load(residual[place.Batch0 * p.ResidualBatch0 + place.Batch1 * p.ResidualBatch1 + row * p.ResidualRow + column * p.ResidualColumn]);
        c[at] = C.Store(x);
    }
}

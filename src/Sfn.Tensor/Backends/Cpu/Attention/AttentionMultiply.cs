namespace Sfn.Backends.Cpu;

/// <summary>C = A·B of attention's block sizes, cut into <see cref="AttentionTiles"/>.</summary>
internal static unsafe class AttentionMultiply
{
    /// <summary>
    /// C [rows, vectors·Width] from A [rows, depth] (strides aRow, aColumn) and B [depth, vectors·Width]. All strides in floats.
    /// Overwrites C when <paramref name="alpha"/> is null, else C = C·alpha + A·B with one factor per column.
    /// </summary>
    public static void Run<S, V>(int rows, int vectors, int depth, float* a, long aRow, long aColumn, float* b, int bRow, float* c, int cRow, float* alpha)
        where S : struct, ISimd<V> where V : struct
    {
        nint rowBytes = (nint)aRow * sizeof(float), columnBytes = (nint)aColumn * sizeof(float);
        // Columns outside, rows inside: the panel of B stays in the first-level cache while A streams past.
        for (; vectors > 0; vectors -= 2, b += 2 * S.Width, c += 2 * S.Width)
        {
            byte* ar = (byte*)a;
            float* cr = c;
            int r = rows;
            if (vectors >= 2)
            {
                if (S.TileRows == 8)
                    for (; r >= 8; r -= 8, ar += 8 * rowBytes, cr += 8 * (nint)cRow)
                        AttentionTiles.Tile8x2<S, V>(depth, ar, rowBytes, columnBytes, b, bRow, cr, cRow, alpha);
                else
                    for (; r >= 6 && r != 8; r -= 6, ar += 6 * rowBytes, cr += 6 * (nint)cRow)
                        AttentionTiles.Tile6x2<S, V>(depth, ar, rowBytes, columnBytes, b, bRow, cr, cRow, alpha);
                for (; r >= 4; r -= 4, ar += 4 * rowBytes, cr += 4 * (nint)cRow)
                    AttentionTiles.Tile4x2<S, V>(depth, ar, rowBytes, columnBytes, b, bRow, cr, cRow, alpha);
                for (; r >= 1; r--, ar += rowBytes, cr += cRow)
                    AttentionTiles.Tile1x2<S, V>(depth, ar, rowBytes, columnBytes, b, bRow, cr, cRow, alpha);
            }
            else
            {
                for (; r >= 8; r -= 8, ar += 8 * rowBytes, cr += 8 * (nint)cRow)
                    AttentionTiles.Tile8x1<S, V>(depth, ar, rowBytes, columnBytes, b, bRow, cr, cRow, alpha);
                for (; r >= 4; r -= 4, ar += 4 * rowBytes, cr += 4 * (nint)cRow)
                    AttentionTiles.Tile4x1<S, V>(depth, ar, rowBytes, columnBytes, b, bRow, cr, cRow, alpha);
                for (; r >= 1; r--, ar += rowBytes, cr += cRow)
                    AttentionTiles.Tile1x1<S, V>(depth, ar, rowBytes, columnBytes, b, bRow, cr, cRow, alpha);
            }
            if (alpha != null) alpha += 2 * S.Width;
        }
    }
}

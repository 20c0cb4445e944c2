namespace Sfn.Backends.Cpu;

/// <summary>
/// What a row op works on: up to four inputs with their row strides (0: the same row for all), the output, two scalars per row in, and
/// two per row out. Columns are contiguous. What the op does not use is null.
/// </summary>
internal unsafe struct RowArgs
{
    public float* A, B, C, D, Y;
    public long ARow, BRow, CRow, DRow, YRow;

    /// <summary>One value per row, read by the op.</summary>
    public float* Scalar0, Scalar1;

    /// <summary>One value per row, kept for the gradient; null where nobody asks for it.</summary>
    public float* Kept0, Kept1;

    public long Rows;
    public int Columns;
}

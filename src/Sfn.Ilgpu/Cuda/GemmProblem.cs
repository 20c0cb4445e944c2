namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>One matrix of a product: device address of the first element, element type, and distances in elements.</summary>
/// <param name="Address">First element; 0 for none.</param>
/// <param name="Type">F32 or BF16.</param>
/// <param name="Row">Between neighbouring rows.</param>
/// <param name="Column">Between neighbouring columns.</param>
/// <param name="Batch0">Between neighbouring outer batches.</param>
/// <param name="Batch1">Between neighbouring inner batches.</param>
internal readonly record struct GemmMatrix(ulong Address, DType Type, long Row, long Column, long Batch0 = 0, long Batch1 = 0);

/// <summary>C[m, n] := epilogue(Σk A[m, k]·B[k, n]) for up to two batch dimensions, in terms of addresses.</summary>
internal sealed record GemmProblem
{
    /// <summary>Rows of C.</summary>
    public required int M { get; init; }

    /// <summary>Columns of C.</summary>
    public required int N { get; init; }

    /// <summary>Summed index.</summary>
    public required int K { get; init; }

    /// <summary>Outer batches.</summary>
    public int Batch0 { get; init; } = 1;

    /// <summary>Inner batches.</summary>
    public int Batch1 { get; init; } = 1;

    /// <summary>[m, k].</summary>
    public required GemmMatrix A { get; init; }

    /// <summary>[k, n].</summary>
    public required GemmMatrix B { get; init; }

    /// <summary>[m, n].</summary>
    public required GemmMatrix C { get; init; }

    /// <summary>Row vector added before the activation; address 0 for none. Its row distance is not used.</summary>
    public GemmMatrix Bias { get; init; }

    /// <summary>[m, n], added after the activation; address 0 for none.</summary>
    public GemmMatrix Residual { get; init; }

    /// <summary>Whether C's old value is added before the bias.</summary>
    public bool Accumulate { get; init; }

    /// <summary>Applied after the bias.</summary>
    public Activation Activation { get; init; }

    /// <summary>The problem behind a backend call; the views' shapes have been checked.</summary>
    public static GemmProblem Of(in View a, in View b, in View c, in MatMulSpec spec, ICudaQueue queue)
    {
        int rank = c.Rank;
        return new()
        {
            M = c.Shape[rank - 2],
            N = c.Shape[rank - 1],
            K = a.Shape[rank - 1],
            Batch0 = rank > 3 ? c.Shape[0] : 1,
            Batch1 = rank > 2 ? c.Shape[rank - 3] : 1,
            A = Matrix(a, queue),
            B = Matrix(b, queue),
            C = Matrix(c, queue),
            Bias = spec.Bias is { } bias ? Matrix(bias.Expand(c.Shape), queue) : default,
            Residual = spec.Residual is { } residual ? Matrix(residual, queue) : default,
            Accumulate = spec.Accumulate,
            Activation = spec.Activation,
            Mode = spec.Mode,
        };
    }

    /// <summary>What may be done to float32 operands.</summary>
    public MatMulMode Mode { get; init; }

    /// <summary>Whether the element types are those of a tensor-core product: two bfloat16 or two float32 operands.</summary>
    public bool HasTypes => A.Type == B.Type && IsFloat(A) && IsFloat(C) && IsFloat(Bias) && IsFloat(Residual);

    /// <summary>What the tensor cores multiply.</summary>
    public GemmKind Kind => A.Type == DType.BF16 ? GemmKind.BFloat16 : Mode == MatMulMode.Tf32 ? GemmKind.Tf32 : GemmKind.Float32;

    /// <summary>How A is copied, or null: see <see cref="OperandAccess.Of"/>.</summary>
    public OperandAccess? AccessA => OperandAccess.Of(A, M, K, A.Row, A.Column);

    /// <summary>How B is copied, or null.</summary>
    public OperandAccess? AccessB => OperandAccess.Of(B, N, K, B.Column, B.Row);

    private static bool IsFloat(in GemmMatrix matrix) => matrix.Address == 0 || matrix.Type is DType.F32 or DType.BF16;

    /// <summary>The last two dimensions as rows and columns, up to two before them as batches.</summary>
    public static GemmMatrix Matrix(in View x, ICudaQueue queue)
    {
        int rank = x.Rank;
        return new(queue.Address(x), x.DType, Step(x, rank - 2), Step(x, rank - 1), rank > 3 ? Step(x, 0) : 0, rank > 2 ? Step(x, rank - 3) : 0);
    }

    // The stride of a dimension of one element says nothing.
    private static long Step(in View x, int dim) => x.Shape[dim] == 1 ? 0 : x.Strides[dim];
}

/// <summary>How an operand reaches shared memory.</summary>
/// <param name="Layout">The contiguous index.</param>
/// <param name="Stride">Bytes between neighbours along the other index.</param>
/// <param name="CopyBytes">16, or 4 where addresses or strides are only that much aligned.</param>
internal readonly record struct OperandAccess(OperandLayout Layout, long Stride, int CopyBytes)
{
    /// <summary>
    /// One of the operand's two indices must be contiguous (or have size 1), and its address, its other stride and its batch strides must be
    /// multiples of four bytes: any float32 matrix, and bfloat16 ones with even strides. Everything else needs a packed copy first.
    /// </summary>
    public static OperandAccess? Of(in GemmMatrix matrix, int outerSize, int k, long outerStride, long kStride)
    {
        OperandAccess? found = null;
        if (kStride == 1 || k <= 1) found = Aligned(matrix, OperandLayout.KContiguous, outerSize <= 1 ? 0 : outerStride);
        if (found is { CopyBytes: 16 }) return found;
        if ((outerStride == 1 || outerSize <= 1) && Aligned(matrix, OperandLayout.OuterContiguous, k <= 1 ? 0 : kStride) is { } other &&
            (found is null || other.CopyBytes > found.Value.CopyBytes))
            return other;
        return found;
    }

    private static OperandAccess? Aligned(in GemmMatrix matrix, OperandLayout layout, long stride)
    {
        int size = matrix.Type.Size();
        long bits = (long)matrix.Address | (stride * size) | (matrix.Batch0 * size) | (matrix.Batch1 * size);
        if (stride < 0) return null;
        if (bits % 16 == 0) return new(layout, stride * size, 16);
        return bits % 4 == 0 ? new(layout, stride * size, 4) : null;
    }
}

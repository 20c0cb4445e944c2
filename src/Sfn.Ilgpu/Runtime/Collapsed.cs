using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>
/// The walk of a kernel over up to six views of one shape: sizes of 1 dropped, neighbouring dimensions merged where all views step evenly across
/// them, innermost dimension first. The last view is the one that is written.
/// </summary>
internal ref struct Collapsed
{
    private readonly ReadOnlySpan<Strides> _operands;
    private readonly Span<int> _from;               // the original dimension whose strides a merged one has
    private readonly Span<long> _sizes;
    private readonly long _count;

    /// <param name="shape">The common shape.</param>
    /// <param name="operands">The views' strides.</param>
    /// <param name="from">Room for <see cref="Shape.MaxRank"/> numbers.</param>
    /// <param name="sizes">Room for <see cref="Shape.MaxRank"/> numbers.</param>
    public Collapsed(in Shape shape, ReadOnlySpan<Strides> operands, Span<int> from, Span<long> sizes)
    {
        _operands = operands;
        _from = from;
        _sizes = sizes;
        _count = shape.Count;
        for (int i = shape.Rank - 1; i >= 0; i--)
        {
            if (shape[i] == 1) continue;
            if (Rank > 0 && Continues(i))
            {
                sizes[Rank - 1] *= shape[i];
                continue;
            }
            from[Rank] = i;
            sizes[Rank++] = shape[i];
        }
        if (Rank > 0) return;
        from[0] = -1;
        sizes[0] = 1;
        Rank = 1;
    }

    public int Rank { get; private set; }

    /// <summary>The sizes for a kernel that handles one element per thread.</summary>
    public readonly Sizes Sizes => Make(1);

    /// <summary>The sizes for a kernel that handles four elements of the innermost dimension per thread.</summary>
    public readonly Sizes Quads => Make(4);

    /// <summary>The element strides of operand <paramref name="i"/>.</summary>
    public readonly Steps Steps(int i) => Steps(i, 1);

    /// <summary>The element strides of operand <paramref name="i"/> for <see cref="Quads"/>.</summary>
    public readonly Steps QuadSteps(int i) => Steps(i, 4);

    /// <summary>
    /// Whether four elements at a time fit operand <paramref name="i"/>: dense or repeated along the innermost dimension, and every run at a multiple
    /// of four elements.
    /// </summary>
    public readonly bool FitsQuads(int i, long offset)
    {
        if (Rank > 1 && _sizes[0] % 4 != 0) return false;
        long inner = Stride(i, 0);
        if (inner == 0) return true;
        if (inner != 1 || offset % 4 != 0) return false;
        for (int d = 1; d < Rank; d++) if (Stride(i, d) % 4 != 0) return false;
        return true;
    }

    private readonly long Stride(int operand, int dim) => _from[dim] < 0 ? 1 : _operands[operand][_from[dim]];

    private readonly bool Continues(int i)
    {
        for (int k = 0; k < _operands.Length; k++)
            if (_operands[k][i] != _operands[k][_from[Rank - 1]] * _sizes[Rank - 1]) return false;
        return true;
    }

    private readonly Sizes Make(int each)
    {
        long count = Rank == 1 ? (_count + each - 1) / each : _count / each;
        if (count > int.MaxValue - IKernel.Threads || _count > uint.MaxValue / 2)
            throw new ShapeMismatch($"A tensor of {_count} elements is too large for one kernel of the device; at most {int.MaxValue - IKernel.Threads} are.");
        return new()
        {
            Count = (int)count,
            Rank = Rank,
            N0 = Size(0) / (uint)each,
            N1 = Size(1),
            N2 = Size(2),
            N3 = Size(3),
            N4 = Size(4),
        };
    }

    private readonly uint Size(int dim) => dim < Rank ? (uint)_sizes[dim] : 1;

    private readonly Steps Steps(int i, int each) => new()
    {
        S0 = Step(i, 0) * each,
        S1 = Step(i, 1),
        S2 = Step(i, 2),
        S3 = Step(i, 3),
        S4 = Step(i, 4),
        S5 = Step(i, 5),
    };

    private readonly long Step(int i, int dim) => dim < Rank ? Stride(i, dim) : 0;
}

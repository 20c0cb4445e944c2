using CsCheck;

namespace Sfn.Tests;

/// <summary>Shapes and views against a naive model: a dictionary from index to value.</summary>
public class ShapePropertyTests : LeakCheck
{
    private static readonly Gen<int[]> s_dims = Gen.Int[0, 3].Array[0, 4];

    [Fact]
    public void Broadcasting_follows_the_rule_dimension_by_dimension() => Gen.Select(s_dims, s_dims).Sample((a, b) =>
    {
        int rank = Math.Max(a.Length, b.Length);
        var expected = new int[rank];
        bool valid = true;
        for (int i = 0; i < rank; i++)
        {
            int x = At(a, rank, i), y = At(b, rank, i);
            valid &= x == y || x == 1 || y == 1;
            expected[i] = x == 1 ? y : x;
        }
        if (valid) Assert.Equal(expected, Shape.Broadcast(Shape.Create(a), Shape.Create(b)).ToArray());
        else Assert.Throws<ShapeMismatch>(() => Shape.Broadcast(Shape.Create(a), Shape.Create(b)));
    }, iter: 2000);

    [Fact]
    public void A_broadcast_op_equals_the_op_on_explicit_copies() => Gen.Select(Gen.Int[1, 4].Array[0, 4], Gen.Bool.Array[4], Gen.Bool.Array[4], Gen.Int[0, 4], Gen.Int[0, 4])
        .Sample((dims, onesA, onesB, dropA, dropB) =>
        {
            using var scope = Scope.Open();
            int[] a = Part(dims, onesA, dropA), b = Part(dims, onesB, dropB);
            Tensor x = Count(a), y = Count(b) * 0.5;
            var shape = Shape.Broadcast(x.Shape, y.Shape);
            var sum = x * y - x;
            Assert.Equal(shape, sum.Shape);
            Assert.Equal((x.Expand(shape).Contiguous() * y.Expand(shape).Contiguous() - x.Expand(shape).Contiguous()).ToArray(), sum.ToArray());
            float[] vx = x.ToArray(), vy = y.ToArray(), all = sum.ToArray();
            int n = 0;
            foreach (int[] index in Indices(shape.ToArray()))
            {
                float p = vx[Offset(index, a)], q = vy[Offset(index, b)];
                Assert.Equal(p * q - p, all[n++]);
            }
        }, iter: 300);

    [Fact]
    public void Chains_of_views_equal_the_naive_model() => Gen.Select(Gen.Int[1, 4].Array[1, 4], Gen.Select(Gen.Int[0, 6], Gen.UInt).Array[1, 6]).Sample((dims, steps) =>
    {
        using var scope = Scope.Open();
        var x = Count(dims);
        var model = new Model(dims, [.. x.ToArray()]);
        foreach (var (kind, random) in steps) (x, model) = Step(x, model, kind, random);
        Assert.Equal(model.Dims, x.Shape.ToArray());
        Assert.Equal(model.Values, x.ToArray());
        Assert.Equal(model.Values, x.Contiguous().ToArray());
        Assert.Equal(model.Values, x.Reshape((int)x.Count).ToArray());
        Assert.Equal(model.Values.Select(v => v + 1), (x + 1).ToArray());
        Assert.Equal(model.Values.Sum(), x.Sum().Item());
    }, iter: 1500);

    [Fact]
    public void Slices_equal_those_of_arrays() => Gen.Select(Gen.Int[1, 6], Gen.Int[1, 6], Gen.UInt.Array[4], Gen.Int[0, 3]).Sample((rows, columns, at, kind) =>
    {
        using var scope = Scope.Open();
        var x = Count([rows, columns]);
        float[][] array = [.. x.ToArray().Chunk(columns)];
        Range r = Between(at[0], at[1], rows), c = Between(at[2], at[3], columns);
        Index i = (at[0] & 1) == 0 ? (int)(at[0] % rows) : new Index((int)(at[0] % rows) + 1, true);
        switch (kind)
        {
            case 0: Assert.Equal(array[r].SelectMany(row => row[c]), x[r, c].ToArray()); break;
            case 1: Assert.Equal(array[i][c], x[i, c].ToArray()); break;
            case 2: Assert.Equal(array[r].Select(row => row[(int)(at[2] % columns)]), x[r, (int)(at[2] % columns)].ToArray()); break;
            default: Assert.Equal(array[i], x[i].ToArray()); break;
        }
    }, iter: 500);

    [Fact]
    public void Shapes_compare_and_print_by_their_sizes() => Gen.Select(s_dims, s_dims).Sample((a, b) =>
    {
        Shape x = Shape.Create(a), y = Shape.Create(b);
        Assert.Equal(a.AsSpan().SequenceEqual(b), x == y);
        if (x == y) Assert.Equal(x.GetHashCode(), y.GetHashCode());
        Assert.Equal($"[{string.Join(", ", a)}]", x.ToString());
        Assert.Equal(a.Aggregate(1L, (p, n) => p * n), x.Count);
        Assert.Equal(a, x.ToArray());
    });

    private sealed record Model(int[] Dims, float[] Values);

    // One random view op on both.
    private static (Tensor, Model) Step(Tensor x, Model m, int kind, uint random)
    {
        int rank = m.Dims.Length, dim = rank == 0 ? 0 : (int)(random % rank), size = rank == 0 ? 1 : m.Dims[dim];
        switch (kind)
        {
            case 0 when rank > 1:
                int[] order = [.. Enumerable.Range(0, rank).OrderBy(d => Philox.At(random, (ulong)d))];
                return (x.Permute(order), Pick([.. order.Select(d => m.Dims[d])], m, index => Unpermute(index, order)));
            case 1:
                int[] flat = [m.Values.Length];
                return (x.Reshape(flat), m with { Dims = flat });
            case 2 when m.Values.Length % 2 == 0 && m.Values.Length > 0:
                return (x.Reshape(2, -1), m with { Dims = [2, m.Values.Length / 2] });
            case 3 when rank > 0:
                int start = (int)(random >> 8) % (size + 1), length = (int)(random >> 16) % (size - start + 1);
                int[] cut = [.. m.Dims];
                cut[dim] = length;
                return (x.Narrow(dim, start, length), Pick(cut, m, index => { int[] from = [.. index]; from[dim] += start; return from; }));
            case 4 when rank < 5:
                int[] more = [.. m.Dims[..dim], 1, .. m.Dims[dim..]];
                return (x.Unsqueeze(dim), m with { Dims = more });
            case 5 when rank < 5:
                int[] wide = [2, .. m.Dims];
                return (x.Expand(Shape.Create(wide)), Pick(wide, m, index => index[1..]));
            case 6 when rank > 0 && size == 1:
                int[] repeated = [.. m.Dims];
                repeated[dim] = 3;
                return (x.Expand(Shape.Create(repeated)), Pick(repeated, m, index => { int[] from = [.. index]; from[dim] = 0; return from; }));
            default: return (x, m);
        }
    }

    private static Model Pick(int[] dims, Model from, Func<int[], int[]> index) => new(dims, [.. Indices(dims).Select(i => from.Values[Offset(index(i), from.Dims)])]);

    private static int[] Unpermute(int[] index, int[] order)
    {
        var from = new int[index.Length];
        for (int i = 0; i < order.Length; i++) from[order[i]] = index[i];
        return from;
    }

    private static IEnumerable<int[]> Indices(int[] dims)
    {
        int count = dims.Aggregate(1, (p, n) => p * n);
        for (int n = 0; n < count; n++)
        {
            var index = new int[dims.Length];
            for (int i = dims.Length - 1, rest = n; i >= 0; rest /= dims[i--]) index[i] = rest % dims[i];
            yield return index;
        }
    }

    // Row-major offset of an index into a tensor that broadcasts to it.
    private static int Offset(int[] index, int[] dims)
    {
        int at = 0, lead = index.Length - dims.Length;
        for (int i = 0; i < dims.Length; i++) at = at * dims[i] + (dims[i] == 1 ? 0 : index[lead + i]);
        return at;
    }

    private static int At(int[] dims, int rank, int i) => i < rank - dims.Length ? 1 : dims[i - (rank - dims.Length)];

    private static int[] Part(int[] dims, bool[] ones, int drop)
    {
        int[] part = [.. dims.Select((n, i) => ones[i] ? 1 : n)];
        return part[Math.Min(drop, part.Length)..];
    }

    private static Range Between(uint a, uint b, int size)
    {
        int start = (int)(a % (size + 1)), end = start + (int)(b % (size - start + 1));
        return (a & 2) == 0 ? start..end : new Range(new Index(size - start, true), new Index(size - end, true));
    }

    private static Tensor Count(int[] dims) => Tensor.Arange(dims.Aggregate(1, (p, n) => p * n)).Reshape(Shape.Create(dims));
}

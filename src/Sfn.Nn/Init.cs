using System.Numerics.Tensors;

namespace Sfn.Nn;

/// <summary>
/// Random starting values, a pure function of the seed and the parameter's name (structured-layer rules: arXiv 2406.16450, its reference
/// code).
/// </summary>
public sealed class Init(ulong seed, Device device)
{
    /// <summary>Standard deviation of plain weights and embeddings.</summary>
    public const float Std = 0.02f;

    /// <summary>Independent normal numbers of standard deviation <see cref="Std"/>.</summary>
    public Tensor Normal(string name, Shape shape) => Tensor.Randn(shape, Philox.Seed(seed, name), Std, device);

    /// <summary>Every value the same.</summary>
    public Tensor Constant(Shape shape, double value) => Tensor.Full(shape, value, device: device);

    /// <summary>[blocks, rows, columns], each block with orthonormal rows or columns, whichever are fewer: all singular values are 1.</summary>
    public Tensor OrthonormalBlocks(string name, int blocks, int rows, int columns)
    {
        float[] values = new float[(long)blocks * rows * columns];
        for (int b = 0; b < blocks; b++) Orthonormal($"{name}/{b}", rows, columns).CopyTo(values.AsSpan(b * rows * columns));
        return Tensor.From<float>(values, [blocks, rows, columns], device);
    }

    /// <summary>
    /// Balanced factors (up [rows, rank], down [rank, columns]) of the best rank-R approximation of a matrix of independent normal
    /// numbers. The matrix itself is never made: its singular vectors are uniformly distributed orthonormal frames, and its singular
    /// values are those of a bidiagonal matrix of chi-distributed numbers (Edelman 1989), so both can be drawn directly.
    /// </summary>
    public (Tensor Up, Tensor Down) BestLowRank(string name, int rows, int columns, int rank)
    {
        double[] singular = Spectrum.OfNormal(Philox.Seed(seed, name + "/spectrum"), rows, columns, Std);
        float[] up = Orthonormal(name + "/up", rows, rank), down = Orthonormal(name + "/down", rank, columns);
        for (int r = 0; r < rank; r++)
        {
            float root = (float)Math.Sqrt(singular[r]);
            for (int i = 0; i < rows; i++) up[i * rank + r] *= root;
            TensorPrimitives.Multiply(down.AsSpan(r * columns, columns), root, down.AsSpan(r * columns, columns));
        }
        return (Tensor.From(up, [rows, rank], device), Tensor.From(down, [rank, columns], device));
    }

    // A uniformly distributed frame: Gram-Schmidt, twice for accuracy, on normal vectors; long vectors are made orthogonal, so the
    // smaller dimension counts them.
    private float[] Orthonormal(string name, int rows, int columns)
    {
        int count = Math.Min(rows, columns), length = Math.Max(rows, columns);
        float[] normal = new float[(long)count * length];
        Philox.Normal(Philox.Seed(seed, name), normal, 1f);
        double[] vectors = new double[normal.Length];
        for (int i = 0; i < normal.Length; i++) vectors[i] = normal[i];
        for (int i = 0; i < count; i++)
        {
            var v = vectors.AsSpan(i * length, length);
            for (int pass = 0; pass < 2; pass++)
            {
                for (int j = 0; j < i; j++)
                {
                    var u = vectors.AsSpan(j * length, length);
                    TensorPrimitives.MultiplyAdd(u, -TensorPrimitives.Dot<double>(u, v), v, v);
                }
            }
            TensorPrimitives.Divide(v, Math.Sqrt(TensorPrimitives.SumOfSquares<double>(v)), v);
        }
        float[] values = new float[normal.Length];
        for (int i = 0; i < count; i++)
            for (int j = 0; j < length; j++)
                values[rows <= columns ? i * length + j : j * count + i] = (float)vectors[i * length + j];
        return values;
    }
}

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>The kernels of the product.</summary>
internal enum MatMulKernel
{
    /// <summary>Tiles of 128·128.</summary>
    Tile128,
    /// <summary>Tiles of 64·64.</summary>
    Tile64,
    /// <summary>Tiles of 32·32.</summary>
    Tile32,
    /// <summary>One row of a against all of b.</summary>
    Rows1,
    /// <summary>Up to four rows.</summary>
    Rows4,
    /// <summary>Up to eight rows.</summary>
    Rows8,
}

/// <summary>Which kernel a product runs on, and in how many parts of k. It depends on the sizes alone, so that every run adds in the same order.</summary>
internal readonly record struct MatMulPlan(MatMulKernel Kernel, int Splits)
{
    /// <summary>Rows that the kernels for few rows take.</summary>
    public const int FewRows = 8;

    // The model's device has 132 multiprocessors, of which each does about 90 multiplications a cycle; other devices only differ in what is best.
    private const int Multiprocessors = 132;
    private const double Launch = 4e5, Traffic = 0.42;
    private const int LeastPart = 128;
    private const long MostBytes = 64L << 20;

    /// <summary>Rows of c per group.</summary>
    public int Rows => Kernel switch
    {
        MatMulKernel.Tile128 => 128,
        MatMulKernel.Tile64 => 64,
        MatMulKernel.Tile32 => 32,
        MatMulKernel.Rows1 => 1,
        MatMulKernel.Rows4 => 4,
        _ => 8,
    };

    /// <summary>Whether it is a kernel for few rows.</summary>
    public bool IsRows => Kernel >= MatMulKernel.Rows1;

    /// <summary>
    /// The plan for c[batches, m, n] with k products each. m is the smaller of m and n if one of them is at most <see cref="FewRows"/>; columns is how
    /// many columns a group of the kernel for few rows takes.
    /// </summary>
    public static MatMulPlan Choose(int m, int n, int k, long batches, int columns)
    {
        if (m <= FewRows && k >= 32)
        {
            var kernel = m == 1 ? MatMulKernel.Rows1 : m <= 4 ? MatMulKernel.Rows4 : MatMulKernel.Rows8;
            // A thread shall have some 16 quads; more parts than fill the device twice are of no use.
            long groups = (n + columns - 1L) / columns * batches;
            long most = Math.Min(k / (columns == 4 ? 4096 : 512), (2 * Multiprocessors + groups - 1) / groups);
            return new(kernel, (int)Math.Clamp(most, 1, 64));
        }
        var best = new MatMulPlan(MatMulKernel.Tile32, 1);
        double least = double.PositiveInfinity;
        foreach (var kernel in (ReadOnlySpan<MatMulKernel>)[MatMulKernel.Tile128, MatMulKernel.Tile64, MatMulKernel.Tile32])
        {
            foreach (int splits in (ReadOnlySpan<int>)[1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 16, 20, 22, 24, 28, 32, 44, 64])
            {
                if (splits > 1 && (k / splits < LeastPart || 4L * splits * batches * m * n > MostBytes)) break;
                var plan = new MatMulPlan(kernel, splits);
                double cost = plan.Cost(m, n, k, batches);
                if (cost >= least) continue;
                least = cost;
                best = plan;
            }
        }
        return best;
    }

    /// <summary>Length of each part of k, a multiple of 16.</summary>
    public int Part(int k) => ((k + Splits - 1) / Splits + 15) / 16 * 16;

    // Multiplications that pass on the busiest multiprocessor until the product is there. A tile needs its beginning and end as if k were 96 larger;
    // smaller tiles read shared memory more often, and few warps wait for each other.
    private double Cost(int m, int n, int k, long batches)
    {
        int size = Rows;
        long groups = (m + size - 1L) / size * ((n + size - 1L) / size) * batches * Splits;
        long each = (groups + Multiprocessors - 1) / Multiprocessors;
        double speed = Kernel switch { MatMulKernel.Tile128 => 1, MatMulKernel.Tile64 => 0.8, _ => 0.5 };
        speed *= Math.Min(1, (each * size / 16 + 4) / 20.0);
        double cost = each * ((double)size * size) * (Part(k) + 96) / speed;
        return Splits == 1 ? cost : cost + Launch + Traffic * Splits * batches * m * n;
    }
}

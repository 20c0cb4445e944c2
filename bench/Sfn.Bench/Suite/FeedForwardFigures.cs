namespace Sfn.Bench.Suite;

/// <summary>The feedforward width → 4·width → width in bfloat16, forward: how much faster the structures with 32 % of the parameters are than dense.</summary>
internal static class FeedForwardFigures
{
    public static void Run(SuiteRun run)
    {
        int tokens = run.Size(30_720, 1, 64, 64);
        foreach (int width in run.Sizes([1024, 2048, 3072, 4096, 5120], 0.5, 64))
        {
            string name = $"feedforward {width}";
            run.Report.Heading($"{name} -> {4 * width} -> {width}, {tokens} tokens, bf16, forward");
            run.Try(name, "", () => Measure(run, name, width, tokens));
        }
    }

    private static void Measure(SuiteRun run, string name, int width, int tokens)
    {
        var x = Data.Normal([tokens, width], 3, DType.BF16, run.Device);
        var device = run.Device;
        Structure[] all = [new Dense(device, width), new LowRank(device, width), new BlockDense(device, width), new BlockShuffle(device, width)];
        double[] errors = [.. all.Select(s => Verified(run, name, s, x))];
        double[] seconds = run.Medians([.. all.Select<Structure, Action>(s => () =>
        {
            using var scope = Scope.Open("feedforward");
            s.Apply(x);
        })]);
        // Dense has 16·tokens·width² FLOPs.
        run.Report.Add(new Figure($"{name} dense", 16.0 * tokens * width * width / seconds[0] / 1e12, "TFLOP/s", run.Torch("bf16"), "torch bf16", errors[0]));
        for (int i = 1; i < all.Length; i++)
        {
            double bound = 8.0 * width * width / all[i].Weights;
            run.Report.Add(new Figure($"{name} {all[i].Name}", seconds[0] / seconds[i], "x", bound, "FLOPs' ratio", errors[i]));
        }
    }

    // The first and the last rows against the same structure in float32 on the CPU, or float64 if the CPU is what is measured.
    private static double Verified(SuiteRun run, string name, Structure structure, Tensor x)
    {
        using var scope = Scope.Open("verification");
        var y = structure.Apply(x);
        var host = run.Device == Device.Cpu ? Device.Reference : Device.Cpu;
        var other = structure.On(host);
        double error = 0;
        foreach (int at in new[] { 0, x.Shape[0] - 2 })
        {
            var expected = other.Apply(x.Narrow(0, at, 2).To(DType.F32).To(host));
            error = Data.Larger(error, PassFigures.Deviation(Data.Row(y.Narrow(0, at, 2)), Data.Row(expected)));
        }
        return run.Verify($"{name} {structure.Name}", error, 3e-2);
    }

    /// <summary>Up and down matrices of one parametrization, as the layers of Sfn.Nn apply them; without their initialization, which is slow.</summary>
    private abstract class Structure(string name, Tensor[] tensors)
    {
        public string Name => name;

        public double Weights => tensors.Where(t => t.Rank > 1).Sum(t => (double)t.Count);

        protected Tensor[] Tensors => tensors;

        public Tensor Apply(Tensor x) => Half(Half(x, 0).Gelu(), tensors.Length / 2);

        public Structure On(Device device) => With([.. tensors.Select(t => t.To(DType.F32).To(device))]);

        // One of the two matrices, whose tensors begin at that place.
        protected abstract Tensor Half(Tensor x, int first);

        protected abstract Structure With(Tensor[] tensors);

        protected static Tensor Matrix(Device device, ulong seed, Shape shape) => Data.Normal(shape, seed, DType.BF16, device, 1 / MathF.Sqrt(shape[^1]));

        protected static Tensor Bias(Device device, int size) => Data.Normal([size], 9, DType.F32, device, 0.1f);
    }

    private sealed class Dense(Tensor[] tensors) : Structure("dense", tensors)
    {
        public Dense(Device device, int w)
            : this([Matrix(device, 11, [4 * w, w]), Bias(device, 4 * w), Matrix(device, 12, [w, 4 * w]), Bias(device, w)]) { }

        protected override Tensor Half(Tensor x, int first) => x.Linear(Tensors[first], Tensors[first + 1]);

        protected override Structure With(Tensor[] tensors) => new Dense(tensors);
    }

    private sealed class LowRank(Tensor[] tensors) : Structure("lowrank 32 %", tensors)
    {
        public LowRank(Device device, int w)
            : this([
                Matrix(device, 11, [w / 4, w]), Matrix(device, 12, [4 * w, w / 4]), Bias(device, 4 * w),
                Matrix(device, 13, [w / 4, 4 * w]), Matrix(device, 14, [w, w / 4]), Bias(device, w),
            ])
        { }

        protected override Tensor Half(Tensor x, int first) => x.Linear(Tensors[first]).Linear(Tensors[first + 1], Tensors[first + 2]);

        protected override Structure With(Tensor[] tensors) => new LowRank(tensors);
    }

    private sealed class BlockDense(Tensor[] tensors) : Structure("blockdense 32 %", tensors)
    {
        private const int Blocks = 2;

        public BlockDense(Device device, int w) : this(Make(device, w, w / 3 / 16 * 16)) { }

        private static Tensor[] Make(Device device, int w, int rank) =>
        [
            Matrix(device, 11, [Blocks, rank / Blocks, w / Blocks]), Matrix(device, 12, [4 * w, rank]), Bias(device, 4 * w),
            Matrix(device, 13, [Blocks, rank / Blocks, 4 * w / Blocks]), Matrix(device, 14, [w, rank]), Bias(device, w),
        ];

        protected override Tensor Half(Tensor x, int first) => x.BlockLinear(Tensors[first]).Linear(Tensors[first + 1], Tensors[first + 2]);

        protected override Structure With(Tensor[] tensors) => new BlockDense(tensors);
    }

    private sealed class BlockShuffle(Tensor[] tensors) : Structure("blockshuffle 32 %", tensors)
    {
        private const int Blocks = 4;

        public BlockShuffle(Device device, int w) : this([.. Make(device, w, 4 * w, 11), .. Make(device, 4 * w, w, 13)]) { }

        private static Tensor[] Make(Device device, int @in, int @out, ulong seed)
        {
            int inner = Math.Min(@in, @out) / Blocks;
            return [Matrix(device, seed, [Blocks, inner, @in / Blocks]), Matrix(device, seed + 1, [Blocks, @out / Blocks, inner]), Bias(device, @out)];
        }

        protected override Tensor Half(Tensor x, int first) => x.ShuffleLinear(Tensors[first], Tensors[first + 1], Tensors[first + 2]);

        protected override Structure With(Tensor[] tensors) => new BlockShuffle(tensors);
    }
}

using Sfn.Backends;

namespace Sfn.Bench.Suite;

/// <summary>Matrix products y = x·wᵀ: TFLOP/s, as a share of what PyTorch reaches.</summary>
internal static class ProductFigures
{
    public static void Run(SuiteRun run)
    {
        run.Report.Heading("matrix products");
        // Of the sum of the terms' sizes: float32 sums in any order, and for tf32 the rounding of the factors, 2⁻¹¹ each.
        Square(run, "fp32", 4096, DType.F32, MatMulMode.Float32, 2e-6);
        Square(run, "tf32", 8192, DType.F32, MatMulMode.Tf32, 5e-4);
        Square(run, "bf16", 8192, DType.BF16, MatMulMode.Float32, 1e-5);
        int tokens = run.Size(30_720, 1, 64, 64);
        foreach (int w in run.Sizes([768, 1024, 2048, 4096], 0.5, 64))
        {
            Measure(run, $"bf16 feedforward {w} -> {4 * w}, {tokens} tokens", "bf16", tokens, w, 4 * w, DType.BF16, default, 1e-5);
            Measure(run, $"bf16 feedforward {4 * w} -> {w}, {tokens} tokens", "bf16", tokens, 4 * w, w, DType.BF16, default, 1e-5);
        }
    }

    private static void Square(SuiteRun run, string precision, int full, DType dtype, MatMulMode mode, double allowed)
    {
        int side = run.Size(full, 0.5, 64, 64);
        Measure(run, $"matmul {precision} {side} x {side} x {side}", precision, side, side, side, dtype, mode, allowed);
    }

    private static void Measure(SuiteRun run, string name, string precision, int m, int k, int n, DType dtype, MatMulMode mode, double allowed)
        => run.Try(name, "TFLOP/s", () =>
        {
            Tensor x = Data.Normal([m, k], 1, dtype, run.Device), w = Data.Normal([n, k], 2, dtype, run.Device), y = Tensor.Zeros([m, n], dtype, run.Device);
            var spec = new MatMulSpec { Mode = mode };
            void Multiply() => run.Backend.MatMul(x.View, w.View.Transpose(0, 1), y.View, spec);
            Multiply();
            var (error, unexplained) = Data.ProductError(x, w, y);
            run.Verify(name, unexplained, allowed);
            double rate = 2.0 * m * k * n / run.Median(Multiply) / 1e12;
            run.Report.Add(new Figure(name, rate, "TFLOP/s", run.Torch(precision), $"torch {precision}", error));
        });
}

using Sfn.Backends;

namespace Sfn.Bench.Suite;

/// <summary>Flash attention, causal, bfloat16: TFLOP/s with the masked half not counted.</summary>
internal static class AttentionFigures
{
    public static void Run(SuiteRun run)
    {
        run.Report.Heading("flash attention, causal, bf16");
        if (run.Backend is not IFlashAttention kernels || !kernels.Takes(DType.BF16))
        {
            run.Report.Add(new Figure("attention", null, "TFLOP/s", Note: "this device has no kernel for bf16"));
            return;
        }
        int total = run.Size(16_384, 1, 64, 64);
        foreach (int dim in new[] { 64, 128 })
        {
            foreach (int full in new[] { 2048, 4096, 8192 })
            {
                int tokens = run.Size(full, 0.5, 64, 64), batch = Math.Max(1, total / tokens), heads = Math.Max(2, run.Size(2048 / dim, 0.5));
                Measure(run, kernels, $"attention {dim} x {tokens}", $"attention {dim} x {full}", batch, heads, tokens, dim);
            }
        }
    }

    private static void Measure(SuiteRun run, IFlashAttention kernels, string name, string peer, int batch, int heads, int tokens, int dim)
        => run.Try(name, "TFLOP/s", () =>
        {
            Shape shape = [batch, tokens, heads, dim];
            Tensor Make(ulong seed) => Data.Normal(shape, seed, DType.BF16, run.Device);
            Tensor q = Make(1), k = Make(2), v = Make(3), dO = Make(4), o = q.EmptyLike(), dq = q.EmptyLike(), dk = q.EmptyLike(), dv = q.EmptyLike();
            var lse = Tensor.Zeros([batch, heads, tokens], DType.F32, run.Device);
            var views = new AttentionViews { Q = q.View, K = k.View, V = v.View, O = o.View, Lse = lse.View, Scale = 1 / MathF.Sqrt(dim), Causal = true };
            void Forward() => kernels.Attention(views);
            void Backward() => kernels.AttentionGrad(views, dO.View, dq.View, dk.View, dv.View);
            Forward();
            Backward();
            var check = new AttentionCheck(q, k, v, o, dO);
            // Rounded to bfloat16 are the probabilities, their gradients and the results: 2⁻⁹ each.
            double forwardError = run.Verify(name, check.Forward(), 1e-2);
            double backwardError = run.Verify(name + " backward", check.Backward(dq, dk, dv), 3e-2);
            double flops = 2.0 * batch * heads * tokens * (double)tokens * dim;     // two products, half of each
            double[] seconds = run.Medians(Forward, Backward);
            run.Report.Add(new Figure(name + " forward", flops / seconds[0] / 1e12, "TFLOP/s", run.Torch(peer), "torch SDPA", forwardError));
            run.Report.Add(new Figure(name + " backward", 2.5 * flops / seconds[1] / 1e12, "TFLOP/s", Error: backwardError, Note: "five products"));
        });
}

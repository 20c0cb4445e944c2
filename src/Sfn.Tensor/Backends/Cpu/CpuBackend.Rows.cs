using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

internal sealed unsafe partial class CpuBackend
{
    public void Rows<TRow>(TRow op, in RowViews v) where TRow : struct, IRow
    {
        if (Brief(v.A))
        {
            RowsWide(op, v);
            return;
        }
        var args = new RowArgs
        {
            Rows = v.A.Shape[0], Columns = v.A.Shape[1], A = F(v.A), ARow = v.A.Strides[0],
            Scalar0 = Pointer(v.Scalar0), Scalar1 = Pointer(v.Scalar1), Kept0 = Pointer(v.Scalar0), Kept1 = Pointer(v.Scalar1),
        };
        args.B = Pointer(v.B);
        args.BRow = v.B?.Strides[0] ?? 0;
        args.C = Pointer(v.C);
        args.CRow = v.C?.Strides[0] ?? 0;
        args.D = Pointer(v.D);
        args.DRow = v.D?.Strides[0] ?? 0;
        args.Y = Pointer(v.Y);
        args.YRow = v.Y?.Strides[0] ?? 0;
        RowWalker.Run(op, args);
    }

    public void NormWeightGrad(in View x, in View? mean, in View rstd, in View dy, in View dweight, in View? dbias, bool accumulate)
    {
        if (Brief(x)) NormWeightGradWide(x, mean, rstd, dy, dweight, dbias, accumulate);
        else
        {
            NormWalker.WeightGrad(
                F(x), F(dy), Pointer(mean), F(rstd), F(dweight), Pointer(dbias), x.Shape[0], x.Shape[1], x.Strides[0], dy.Strides[0], accumulate);
        }
    }

    public void CrossEntropy(in View logits, in View targets, int ignore, in View losses, bool gradient) => CrossEntropyWalker.Run(
        F(logits), logits.Strides[0], (int*)targets.Pointer, F(losses), logits.Shape[0], logits.Shape[1], ignore, gradient, 1f);

    public void AdamW(in View p, in View g, in View m, in View v, double lr, double beta1, double beta2, double epsilon, double decay,
        double correction1, double correction2, double gradScale)
        => AdamWWalker.Step(F(p), F(g), F(m), F(v), p.Count, lr, beta1, beta2, epsilon, decay, correction1, correction2, gradScale);

    public void Sgd(in View p, in View g, in View? m, double lr, double momentum, double decay, double gradScale)
        => SgdWalker.Step(F(p), F(g), Pointer(m), p.Count, lr, momentum, decay, nesterov: false, gradScale);

    private static float* Pointer(in View? view) => view is { } v ? F(v) : null;
}

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

    public void Dropout(in View x, in View y, in DropoutSpec spec, bool accumulate)
    {
        ulong seed = spec.Memory is { } memory ? spec.SeedOf(((uint*)memory.Pointer)[0], ((uint*)memory.Pointer)[1]) : spec.Seed;
        if (x.DType == DType.F32) DropoutWalker.Run(F(x), F(y), y.Count, seed, spec.Threshold, spec.Kept, accumulate);
        else DropoutWalker.Run((BFloat16*)x.Pointer, (BFloat16*)y.Pointer, y.Count, seed, spec.Threshold, spec.Kept, accumulate);
    }

    public void AdamW(in AdamWViews v, in View settings) => AdamWWalker.Step(
        F(v.P), F(v.G), F(v.M), F(v.V), Half(v.Shadow), v.P.Count, *(AdamWSettings*)settings.Pointer, *F(v.Scale));

    public void Sgd(in SgdViews v, in View settings) => SgdWalker.Step(
        F(v.P), F(v.G), F(v.M), Half(v.Shadow), v.P.Count, *(SgdSettings*)settings.Pointer, *F(v.Scale), nesterov: false);

    private static BFloat16* Half(in View? view) => view is { } v ? (BFloat16*)v.Pointer : null;

    private static float* Pointer(in View? view) => view is { } v ? F(v) : null;
}

namespace Sfn.Backends.Cpu;

internal sealed unsafe partial class CpuBackend
{
    public override void MatMul(in View a, in View b, in View c, in MatMulSpec spec)
    {
        if (c.DType != DType.F32 || a.DType != DType.F32 || b.DType != DType.F32 || !Fits(c, spec))
        {
            if (Mixed(a, b, c)) MatMulWide(a, b, c, spec);
            else base.MatMul(a, b, c, spec);
            return;
        }
        int r = c.Rank;
        var p = new GemmProblem
        {
            M = c.Shape[r - 2], N = c.Shape[r - 1], K = a.Shape[r - 1],
            A = (float*)a.Pointer, ARow = a.Strides[r - 2], ACol = Step(a, r - 1),
            B = (float*)b.Pointer, BRow = Step(b, r - 2), BCol = Step(b, r - 1),
            C = (float*)c.Pointer, CRow = c.Strides[r - 2], CCol = Step(c, r - 1),
            Batch0 = r > 3 ? c.Shape[r - 4] : 1, Batch1 = r > 2 ? c.Shape[r - 3] : 1,
            Accumulate = spec.Accumulate, Alpha = 1,
            Activation = spec.Activation,
        };
        if (r > 2) (p.A1, p.B1, p.C1) = (a.Strides[r - 3], b.Strides[r - 3], c.Strides[r - 3]);
        if (r > 3) (p.A0, p.B0, p.C0) = (a.Strides[r - 4], b.Strides[r - 4], c.Strides[r - 4]);
        if (spec.Bias is { } bias)
        {
            p.Bias = (float*)bias.Pointer;
            int last = bias.Rank - 1;
            p.BiasStride = bias.Strides[last];
            if (bias.Rank > 2) p.Bias1 = bias.Strides[last - 2];
            if (bias.Rank > 3) p.Bias0 = bias.Strides[last - 3];
        }
        if (spec.Residual is { } residual)
        {
            p.Residual = (float*)residual.Pointer;
            p.ResidualRow = residual.Strides[r - 2];
        }
        Gemm.Run(p);
    }

    // The fused residual is one matrix with dense columns, the bias has an element per column; anything else is rare enough for the reference loops.
    private static bool Fits(in View c, in MatMulSpec spec)
        => (spec.Residual is not { } residual || (c.Rank == 2 && residual.DType == DType.F32 && Step(residual, 1) == 1))
            && (spec.Bias is not { } bias || (bias.DType == DType.F32 && (bias.Strides[bias.Rank - 1] != 0 || c.Shape[c.Rank - 1] == 1)));

    // The stride of a dimension of size 1 means nothing; kernels take it as dense.
    private static long Step(in View view, int dim) => view.Shape[dim] == 1 ? 1 : view.Strides[dim];
}

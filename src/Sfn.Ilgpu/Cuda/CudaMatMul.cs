namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>Products on tensor cores, where types and layouts allow.</summary>
internal static class CudaMatMul
{
    /// <summary>
    /// c := epilogue(a·b) on tensor cores, or false if the caller's portable kernel must do it: operands must be two bfloat16 or two float32 views.
    /// An operand whose layout the kernels cannot copy is packed first.
    /// </summary>
    public static bool TryMatMul(ICudaQueue queue, in View a, in View b, in View c, in MatMulSpec spec)
    {
        var problem = GemmProblem.Of(a, b, c, spec, queue);
        if (c.Count == 0 || !problem.HasTypes || !TensorCoreGemm.Fits(problem)) return c.Count == 0;
        View? packedA = null, packedB = null;
        if (problem.AccessA is null)
        {
            packedA = Pack(queue, a);
            problem = problem with { A = GemmProblem.Matrix(packedA.Value, queue) };
        }
        if (problem.AccessB is null)
        {
            packedB = Pack(queue, b);
            problem = problem with { B = GemmProblem.Matrix(packedB.Value, queue) };
        }
        Run(queue, GemmPlan.Make(problem, queue.Facts));
        if (packedA is { } x) queue.Return(x);
        if (packedB is { } y) queue.Return(y);
        return true;
    }

    private static void Run(ICudaQueue queue, GemmPlan plan)
    {
        var kernel = plan.Kernel;
        if (plan.Splits == 1)
        {
            queue.Start(kernel.Name, kernel.Text(queue.Facts.Hopper), plan.Product, plan.ProductParameters());
            return;
        }
        var workspace = queue.Rent([(int)(plan.WorkspaceBytes / 16), 4], DType.F32);
        ulong address = queue.Address(workspace);
        queue.Start(kernel.Name, kernel.Text(queue.Facts.Hopper), plan.Product, plan.ProductParameters(address));
        queue.Start(GemmReduce.Name, GemmReduce.Text, plan.Reduction, plan.ReductionParameters(address));
        queue.Return(workspace);
    }

    // Rows padded to 16 bytes, so that wide copies apply. A repeated batch is packed once.
    private static View Pack(ICudaQueue queue, in View x)
    {
        int last = x.Rank - 1, columns = x.Shape[last];
        var once = x;
        for (int i = 0; i < last - 1; i++) if (x.Strides[i] == 0) once = once.Narrow(i, 0, 1);
        var packed = queue.Rent(once.Shape.With(last, (columns + 7) / 8 * 8), x.DType).Narrow(last, 0, columns);
        queue.Copy(once, packed);
        return packed;
    }
}

using global::ILGPU;
using global::ILGPU.Runtime.Cuda;
using Sfn.Backends.Ilgpu.Cuda;

namespace Sfn.Backends.Ilgpu;

/// <summary>The backend for NVIDIA devices of compute capability 8.0 and later: kernels given as PTX where they are faster.</summary>
internal partial class CudaBackend(Device device, CudaAccelerator accelerator, OptimizationLevel level = OptimizationLevel.O2)
    : FusedIlgpuBackend(device, accelerator, level), ICudaQueue
{
    private readonly CudaModule _modules = new();

    /// <summary>Whether the accelerator has what the PTX kernels need.</summary>
    public static bool Fits(CudaAccelerator accelerator) => accelerator.Architecture.Major >= 8;

    public override string Description => $"{Accelerator.Name}, tensor cores";

    public override void MatMul(in View a, in View b, in View c, in MatMulSpec spec)
    {
        if (!CudaMatMul.TryMatMul(this, a, b, c, spec)) base.MatMul(a, b, c, spec);
    }

    public override void Dispose()
    {
        using (Launching()) _modules.Dispose();
        base.Dispose();
    }

    GemmDevice ICudaQueue.Facts => field ??= CudaFacts.Of((CudaAccelerator)Accelerator);

    ulong ICudaQueue.Address(in View view) => (ulong)Native(view);

    View ICudaQueue.Rent(in Shape shape, DType dtype) => Rent(shape, dtype);

    void ICudaQueue.Return(in View view) => Return(view);

    unsafe void ICudaQueue.Start<T>(string name, Func<string> text, in Launch launch, in T parameter)
    {
        using var _ = Launching();
        nint function = _modules.Function(name, text, launch.SharedBytes);
        fixed (T* p = &parameter) CudaModule.Start(function, launch, ((CudaStream)Stream).StreamPtr, p, name);
    }
}

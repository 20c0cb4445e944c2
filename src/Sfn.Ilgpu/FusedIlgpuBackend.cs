using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu;

/// <summary>The backend with portable kernels for the optional capabilities; each capability is a file.</summary>
internal partial class FusedIlgpuBackend(Device device, Accelerator accelerator, OptimizationLevel level = OptimizationLevel.O2)
    : IlgpuBackend(device, accelerator, level);

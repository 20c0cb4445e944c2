using System.Runtime.CompilerServices;
using global::ILGPU.Backends.OpenCL;
using global::ILGPU.Backends.PTX;
using global::ILGPU.Runtime.Cuda;
using global::ILGPU.Runtime.OpenCL;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>The members of ILGPU that it keeps to itself and that the text passes need. Checked when the first kernel is compiled.</summary>
internal static class IlgpuAccess
{
    /// <summary>The text of a compiled CUDA kernel.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<PTXAssembly>k__BackingField")]
    public static extern ref string Text(PTXCompiledKernel kernel);

    /// <summary>The text of a compiled OpenCL kernel.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<Source>k__BackingField")]
    public static extern ref string Text(CLCompiledKernel kernel);

    /// <summary>Sets the architecture that PTX is written for; ILGPU stops at the newest one with capabilities of its own, sm_80.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_TargetArchitecture")]
    public static extern void SetTarget(CudaCapabilityContext capabilities, CudaArchitecture architecture);

    /// <summary>The function a loaded kernel launches.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "functionPtr")]
    public static extern ref nint Function(CudaKernel kernel);

    /// <summary>Says that a device has a generic address space, for devices that pass ILGPU's kernels without announcing it.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_GenericAddressSpace")]
    public static extern void SetGenericAddressSpace(CLCapabilityContext capabilities, bool value);
}

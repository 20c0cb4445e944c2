using System.Runtime.Intrinsics;
using Sfn.Backends.Reference;

namespace Sfn.Backends.Cpu;

/// <summary>
/// SIMD kernels on host memory, threaded over <see cref="CpuPool"/>. What it has no kernel for (other element types, odd strides)
/// runs as the reference loops it inherits.
/// </summary>
internal sealed unsafe partial class CpuBackend(Device device) : ReferenceBackend(device), IFlashAttention, IRotary
{
    public override string Description =>
        $"{CpuPool.Threads} threads, {(Vector512.IsHardwareAccelerated ? "512" : Vector256.IsHardwareAccelerated ? "256" : "128")}-bit vectors";
}

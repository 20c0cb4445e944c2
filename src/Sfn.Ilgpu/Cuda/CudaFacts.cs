using global::ILGPU.Runtime;
using global::ILGPU.Runtime.Cuda;

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>Asks the driver for what ILGPU does not tell.</summary>
internal static class CudaFacts
{
    private const DeviceAttributeKind SharedBytesPerBlockOptIn = (DeviceAttributeKind)97, SharedBytesPerMultiprocessor = (DeviceAttributeKind)81;

    /// <summary>The facts of an accelerator's device.</summary>
    public static GemmDevice Of(CudaAccelerator accelerator)
    {
        var api = CudaAPI.CurrentAPI;
        int device = accelerator.DeviceId;
        return new(accelerator.NumMultiprocessors, api.GetDeviceAttribute(SharedBytesPerBlockOptIn, device),
            api.GetDeviceAttribute(SharedBytesPerMultiprocessor, device), accelerator.Architecture.Major >= 9);
    }
}

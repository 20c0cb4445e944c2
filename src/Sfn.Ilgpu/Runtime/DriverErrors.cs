using global::ILGPU.Runtime.Cuda;
using global::ILGPU.Runtime.OpenCL;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>What a driver's error means for the engine.</summary>
internal static class DriverErrors
{
    /// <summary>Whether the device had too little memory, so that freeing some helps.</summary>
    public static bool IsOutOfMemory(Exception error) => error switch
    {
        OutOfMemoryException => true,
        // ILGPU keeps the driver's words, not its number.
        CudaException cuda => $"{cuda.Error} {cuda.Message}".Replace('_', ' ').Contains("out of memory", StringComparison.OrdinalIgnoreCase),
        CLException cl => cl.Error is CLError.CL_MEM_OBJECT_ALLOCATION_FAILURE or CLError.CL_OUT_OF_RESOURCES or CLError.CL_OUT_OF_HOST_MEMORY
            or CLError.CL_INVALID_BUFFER_SIZE,
        _ => error.InnerException is { } inner && IsOutOfMemory(inner),
    };

    /// <summary>Whether the error is one of the driver's, after which the device's state is unknown.</summary>
    public static bool IsDriver(Exception error) => error is CudaException or CLException || (error.InnerException is { } inner && IsDriver(inner));
}

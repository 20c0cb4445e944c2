namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>What the tensor-core kernels need of a CUDA backend. Everything is queued on one stream, in the order of the calls.</summary>
internal interface ICudaQueue
{
    /// <summary>The device, for the choice of kernels.</summary>
    GemmDevice Facts { get; }

    /// <summary>Device address of a view's first element.</summary>
    ulong Address(in View view);

    /// <summary>Memory until <see cref="Return"/>; it may be reused by work that is queued later.</summary>
    View Rent(in Shape shape, DType dtype);

    /// <summary>Gives memory back.</summary>
    void Return(in View view);

    /// <summary>to := from, strided, same shape.</summary>
    void Copy(in View from, in View to);

    /// <summary>Launches a kernel given as text, loaded on first use; its only argument is the struct.</summary>
    void Start<T>(string name, Func<string> text, in Launch launch, in T parameter) where T : unmanaged;
}

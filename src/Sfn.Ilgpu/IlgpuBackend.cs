using global::ILGPU;
using global::ILGPU.Runtime;
using global::ILGPU.Runtime.OpenCL;
using Sfn.Backends.Ilgpu.Kernels;
using Sfn.Backends.Ilgpu.Runtime;

namespace Sfn.Backends.Ilgpu;

/// <summary>
/// The engine on one ILGPU accelerator: the required methods alone, with portable kernels. All work is queued on one stream in the order of the
/// calls; the host waits only where it reads.
/// </summary>
internal partial class IlgpuBackend : IBackend, IDisposable
{
    private const long SlabBytes = 64L << 20;
    private readonly KernelCompiler _compiler;
    private readonly Slabs _slabs;
    private readonly Staging _staging;
    private readonly Lock _launching = new();
    private Delegate?[] _kernels = new Delegate?[256];

    public IlgpuBackend(Device device, Accelerator accelerator, OptimizationLevel level = OptimizationLevel.O2)
    {
        Device = device;
        Accelerator = accelerator;
        Stream = accelerator.CreateStream();
        _compiler = new KernelCompiler(accelerator, level);
        // ILGPU's OpenCL kernels hold a view's first element as a 32-bit number.
        _slabs = new Slabs(accelerator, Math.Min(SlabBytes, accelerator.MemorySize / 8));
        _staging = new Staging(accelerator);
        Allocator = new CachingAllocator(this);
    }

    public Device Device { get; }

    public virtual string Description => $"{Accelerator.Name}, portable kernels";

    public CachingAllocator Allocator { get; }

    internal Accelerator Accelerator { get; }

    internal AcceleratorStream Stream { get; }

    internal KernelCompiler Compiler => _compiler;

    /// <summary>Bytes asked from the driver for tensors.</summary>
    internal long SlabBytesReserved => _slabs.Reserved;

    /// <summary>An event on the stream; <see cref="DeviceClock"/>.</summary>
    internal ProfilingMarker Mark()
    {
        using var _ = Launching();
        return Stream.AddProfilingMarker();
    }

    public nint Allocate(long bytes)
    {
        if (Accelerator is CLAccelerator && bytes > int.MaxValue) return 0;
        using var _ = Launching();
        try { return _slabs.Allocate(bytes); }
        catch (Exception error) when (Lost(error) is { } lost) { throw lost; }
    }

    public void Free(nint pointer, long bytes)
    {
        using var _ = Launching();
        try { _slabs.Free(pointer, bytes); }
        catch (Exception error) when (Lost(error) is not null) { }     // the memory is gone with the device
    }

    public void Upload(ReadOnlySpan<byte> from, in View to)
    {
        if (from.IsEmpty) return;
        Refuse("An upload");
        using var _ = Launching();
        try
        {
            var target = On<byte>(to).SubView(0, from.Length);
            if (_staging.TryUpload(Stream, from, target)) return;
            target.CopyFromCPU(Stream, from);
            Stream.Synchronize();
        }
        catch (Exception error) when (Lost(error) is { } lost) { throw lost; }
    }

    public void Download(in View from, Span<byte> to)
    {
        if (to.IsEmpty) return;
        Refuse("A download");
        using var _ = Launching();
        try
        {
            On<byte>(from).SubView(0, to.Length).CopyToCPU(Stream, to);
            Wait();
        }
        catch (Exception error) when (Lost(error) is { } lost) { throw lost; }
    }

    public void Synchronize()
    {
        Refuse("Waiting for the device");
        using var _ = Launching();
        try { Wait(); }
        catch (Exception error) when (Lost(error) is { } lost) { throw lost; }
    }

    public DeviceLost? Lost(Exception error)
    {
        if (error is DeviceLost known) return known;
        if (!DriverErrors.IsDriver(error)) return null;
        var cause = error;
        while (cause.InnerException is { } inner) cause = inner;
        return new DeviceLost(
            $"{Device} ({Accelerator.Name}) has failed: {cause.Message.TrimEnd('.', '\n', ' ')}. It cannot be used again in this process; its driver's log says more.", error);
    }

    /// <summary>Throws what cannot be done while work is being captured.</summary>
    private protected virtual void Refuse(string call) { }

    private void Wait()
    {
        Stream.Synchronize();
        _staging.Rewind();
        ThrowFound();
    }

    /// <summary>Throws what checks on the device have found since it was last called. The device has finished, and the caller holds <see cref="Launching"/>.</summary>
    private protected virtual void ThrowFound() { }

    public virtual void Dispose()
    {
        _compiler.Dispose();
        _staging.Dispose();
        _slabs.Dispose();
        Stream.Dispose();
        Accelerator.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Held around every call of the driver: OpenCL kernels keep their arguments in the kernel object, CUDA binds its context to a thread, and the
    /// order on the stream is the order of the calls.
    /// </summary>
    private protected Lock.Scope Launching()
    {
        var scope = _launching.EnterScope();
        Accelerator.Bind();
        return scope;
    }

    /// <summary>The launcher of a kernel, compiled on first use.</summary>
    private protected TLauncher Kernel<TKernel, TLauncher>() where TKernel : struct, IKernel where TLauncher : Delegate
    {
        int id = KernelNumber.Of<TKernel>.Value;
        if (id < _kernels.Length && _kernels[id] is { } known) return (TLauncher)known;
        var kernel = _compiler.Load<TKernel, TLauncher>();
        if (id >= _kernels.Length) Array.Resize(ref _kernels, Math.Max(id + 1, 2 * _kernels.Length));
        _kernels[id] = kernel;
        return kernel;
    }

    /// <summary>One thread for each of <paramref name="threads"/> items.</summary>
    private protected static KernelConfig Config(long threads) => new(Int((threads + IKernel.Threads - 1) / IKernel.Threads), IKernel.Threads);

    /// <summary>The memory from a view's first element to the end of its block.</summary>
    private protected ArrayView<S> On<S>(in View view) where S : unmanaged
    {
        long skipped = view.Offset * view.DType.Size();
        return _slabs.Bytes(view.Storage.Pointer, skipped, view.Storage.Bytes - skipped).Cast<S>();
    }

    /// <summary>The device's own address of a view's first element.</summary>
    private protected nint Native(in View view) => _slabs.Native(view.Storage.Pointer) + (nint)(view.Offset * view.DType.Size());

    private protected static int Int(long value) => value <= int.MaxValue
        ? (int)value
        : throw new ShapeMismatch($"{value} elements are too many for one kernel of the device; at most {int.MaxValue} are.");

    /// <summary>Memory for a step inside a method, until <see cref="Return"/>. It may be reused at once: whoever reuses it is queued behind.</summary>
    private protected View Rent(in Shape shape, DType dtype)
    {
        var storage = Allocator.Rent(shape.Count * dtype.Size());
        storage.Retain();
        return new View(storage, dtype, shape);
    }

    /// <summary>Gives back what <see cref="Rent"/> gave.</summary>
    private protected static void Return(in View view) => view.Storage.Release("a temporary of the backend");

    /// <summary>The same for the length of a block.</summary>
    private protected readonly ref struct Temporary(IlgpuBackend backend, in Shape shape, DType dtype)
    {
        public View View { get; } = backend.Rent(shape, dtype);

        public void Dispose() => Return(View);
    }
}

/// <summary>Numbers kernel types, so that a backend finds a kernel in an array.</summary>
internal static class KernelNumber
{
    private static int s_next = -1;

    internal static class Of<TKernel>
    {
        public static readonly int Value = Interlocked.Increment(ref s_next);
    }
}

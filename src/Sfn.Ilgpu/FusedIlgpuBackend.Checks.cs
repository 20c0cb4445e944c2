using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu;

internal partial class FusedIlgpuBackend : IDeviceChecks
{
    // Made with the backend and not from the cache, whose memory may belong to a graph.
    private readonly MemoryBuffer1D<int, Stride1D.Dense> _report = NoReport(accelerator);
    // Checks that differ, in the order of their first use: a kernel reports a number, from 1. Replayed checks keep theirs.
    private readonly List<(string Op, int Size, int? Ignore)> _checks = [];

    public void CheckIndices(in View ids, int size, int? ignore, string op)
    {
        if (ids.Count == 0) return;
        switch (ids.DType)
        {
            case DType.I32: CheckIndices<I32>(ids, size, ignore, op); break;
            case DType.U16: CheckIndices<U16>(ids, size, ignore, op); break;
            case DType.U8: CheckIndices<U8>(ids, size, ignore, op); break;
            default: throw new DTypeMismatch($"{op} of ids in {ids.DType.Name()}: ids are i32, u16 or u8.");
        }
    }

    public override void Dispose()
    {
        using (Launching()) _report.Dispose();
        base.Dispose();
    }

    private protected override void ThrowFound()
    {
        if (_checks.Count == 0) return;
        Span<int> found = stackalloc int[2];
        _report.View.SubView(0, 2).AsContiguous().CopyToCPU(Stream, found);
        Stream.Synchronize();
        if (found[0] == 0) return;
        _report.View.SubView(0, 2).AsContiguous().CopyFromCPU(Stream, stackalloc int[2]);
        Stream.Synchronize();
        var (op, size, ignore) = _checks[found[0] - 1];
        throw ShapeMismatch.OfIndex(op, found[1], size, ignore);
    }

    private void CheckIndices<S>(in View ids, int size, int? ignore, string op) where S : unmanaged, IIndex<S>
    {
        using var _ = Launching();
        int number = _checks.IndexOf((op, size, ignore)) + 1;
        if (number == 0)
        {
            _checks.Add((op, size, ignore));
            number = _checks.Count;
        }
        Kernel<IndexCheck<S>, Action<AcceleratorStream, KernelConfig, int, int, int, int, int, ArrayView<S>, ArrayView<int>>>()
            (Stream, new(1, IKernel.Threads), Int(ids.Count), size, ignore is null ? 0 : 1, ignore ?? 0, number, On<S>(ids), _report.View.AsContiguous());
    }

    private static MemoryBuffer1D<int, Stride1D.Dense> NoReport(Accelerator accelerator)
    {
        accelerator.Bind();
        var report = accelerator.Allocate1D<int>(2);
        report.CopyFromCPU(new int[2]);
        return report;
    }
}

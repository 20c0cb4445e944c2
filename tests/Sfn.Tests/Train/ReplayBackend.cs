using Sfn.Backends;
using Sfn.Backends.Cpu;
using Sfn.Kernels;

namespace Sfn.Tests.Train;

/// <summary>
/// A device that behaves as a GPU does where that matters to steps: it records work and replays it, finds bad ids late, has little memory and may be lost.
/// Its numbers are the CPU's.
/// </summary>
internal sealed unsafe class ReplayBackend : IBackend, IRowKernels, ICrossEntropy, IFlashAttention, IRotary, IDropout, IOptimizerKernels, IDeviceChecks, IGraphCapture
{
    private static int s_devices;
    private readonly CpuBackend _cpu;
    private List<Action>? _recording;
    private ShapeMismatch? _found;

    private ReplayBackend(Device device)
    {
        Device = device;
        _cpu = new CpuBackend(device);
        Allocator = new CachingAllocator(this);
    }

    public Device Device { get; }

    public string Description => "records and replays";

    public CachingAllocator Allocator { get; }

    public long Limit { get; set; } = long.MaxValue;

    public long Held { get; private set; }

    /// <summary>From now on every call fails as after a fault of the driver.</summary>
    public bool IsLost { get; set; }

    /// <summary>Captures are refused, as they are if an op needs the host.</summary>
    public bool Refuses { get; set; }

    public int Downloads { get; private set; }

    public int Uploads { get; private set; }

    public int Replays { get; private set; }

    /// <summary>Work that was queued call by call.</summary>
    public int Calls { get; private set; }

    public bool Takes(DType activations) => _cpu.Takes(activations);

    /// <summary>A device of its own name.</summary>
    public static ReplayBackend New(out Device device)
    {
        device = Device.Register($"replay:{Interlocked.Increment(ref s_devices)}", -1, d => new ReplayBackend(d));
        return (ReplayBackend)device.Backend;
    }

    public nint Allocate(long bytes)
    {
        Live("cuMemAlloc");
        if (Held + bytes > Limit) return 0;
        Held += bytes;
        return _cpu.Allocate(bytes);
    }

    public void Free(nint pointer, long bytes)
    {
        Held -= bytes;
        _cpu.Free(pointer, bytes);
    }

    public void Upload(ReadOnlySpan<byte> from, in View to)
    {
        Wait("upload");
        Uploads++;
        _cpu.Upload(from, to);
    }

    public void Download(in View from, Span<byte> to)
    {
        Wait("download");
        Downloads++;
        Report();
        _cpu.Download(from, to);
    }

    public void Synchronize()
    {
        Wait("synchronize");
        Report();
    }

    public IReplayable Capture(Action work)
    {
        Live("cuStreamBeginCapture");
        if (_recording is not null) throw CaptureError.Of("capture");
        var list = new List<Action>();
        var pool = Allocator.BeginPrivate();
        _recording = list;
        try
        {
            if (Refuses) throw CaptureError.Of("download");
            work();
        }
        catch
        {
            Allocator.EndPrivate();
            pool.Dispose();
            throw;
        }
        finally
        {
            _recording = null;
        }
        Allocator.EndPrivate();
        return new Graph(this, list, pool);
    }

    public void CheckIndices(in View ids, int size, int? ignore, string op)
    {
        var view = ids;
        Do(() =>
        {
            for (int i = 0; i < view.Count; i++)
            {
                int id = ((int*)view.Pointer)[i];
                if (((uint)id >= (uint)size) && id != ignore) _found ??= ShapeMismatch.OfIndex(op, id, size, ignore);
            }
        });
    }

    public void Fill(in View y, double value) { var b = y; Do(() => _cpu.Fill(b, value)); }

    public void Copy(in View x, in View y) { View a = x, b = y; Do(() => _cpu.Copy(a, b)); }

    public void AddTo(in View x, in View y) { View a = x, b = y; Do(() => _cpu.AddTo(a, b)); }

    public void Map<TOp>(TOp op, in View x, in View y) where TOp : struct, IUnary { View a = x, b = y; Do(() => _cpu.Map(op, a, b)); }

    public void MapGrad<TOp>(TOp op, in View x, in View y, in View dy, in View dx, bool accumulate) where TOp : struct, IUnary
    {
        View a = x, b = y, c = dy, d = dx;
        Do(() => _cpu.MapGrad(op, a, b, c, d, accumulate));
    }

    public void Zip<TOp>(TOp op, in View a, in View b, in View y) where TOp : struct, IBinary { View u = a, v = b, w = y; Do(() => _cpu.Zip(op, u, v, w)); }

    public void ZipGrad<TOp>(TOp op, int input, in View a, in View b, in View y, in View dy, in View dx) where TOp : struct, IBinary
    {
        View u = a, v = b, w = y, s = dy, t = dx;
        Do(() => _cpu.ZipGrad(op, input, u, v, w, s, t));
    }

    public void Where(in View condition, in View a, in View b, in View y) { View c = condition, u = a, v = b, w = y; Do(() => _cpu.Where(c, u, v, w)); }

    public void Reduce<TMonoid>(TMonoid monoid, in View x, in View y, int axes) where TMonoid : struct, IMonoid
    {
        View a = x, b = y;
        Do(() => _cpu.Reduce(monoid, a, b, axes));
    }

    public void ArgMax(in View x, in View y) { View a = x, b = y; Do(() => _cpu.ArgMax(a, b)); }

    public void MatMul(in View a, in View b, in View c, in MatMulSpec spec)
    {
        View u = a, v = b, w = c;
        var s = spec;
        Do(() => _cpu.MatMul(u, v, w, s));
    }

    // With a bad id at hand a kernel must not touch foreign memory: these do nothing at all.
    public void Gather(in View table, in View ids, in View y) { View a = table, b = ids, c = y; Do(() => { if (_found is null) _cpu.Gather(a, b, c); }); }

    public void ScatterAdd(in View y, in View ids, in View table) { View a = y, b = ids, c = table; Do(() => { if (_found is null) _cpu.ScatterAdd(a, b, c); }); }

    public void CrossEntropy(in View logits, in View targets, int ignore, in View losses, bool gradient)
    {
        View a = logits, b = targets, c = losses;
        Do(() => { if (_found is null) _cpu.CrossEntropy(a, b, ignore, c, gradient); });
    }

    public void Rows<TRow>(TRow op, in RowViews views) where TRow : struct, IRow { var v = views; Do(() => _cpu.Rows(op, v)); }

    public void NormWeightGrad(in View x, in View? mean, in View rstd, in View dy, in View dweight, in View? dbias, bool accumulate)
    {
        View a = x, c = rstd, d = dy, e = dweight;
        View? b = mean, f = dbias;
        Do(() => _cpu.NormWeightGrad(a, b, c, d, e, f, accumulate));
    }

    public void Attention(in AttentionViews views) { var v = views; Do(() => _cpu.Attention(v)); }

    public void AttentionGrad(in AttentionViews views, in View dO, in View dQ, in View dK, in View dV)
    {
        var v = views;
        View a = dO, b = dQ, c = dK, d = dV;
        Do(() => _cpu.AttentionGrad(v, a, b, c, d));
    }

    public void Rotate(in View x, in View y, in View cos, in View sin, int start, bool inverse)
    {
        View a = x, b = y, c = cos, d = sin;
        Do(() => _cpu.Rotate(a, b, c, d, start, inverse));
    }

    public void Dropout(in View x, in View y, in DropoutSpec spec, bool accumulate)
    {
        View a = x, b = y;
        var s = spec;
        Do(() => _cpu.Dropout(a, b, s, accumulate));
    }

    public void AdamW(in AdamWViews views, in View settings) { var v = views; var s = settings; Do(() => _cpu.AdamW(v, s)); }

    public void Sgd(in SgdViews views, in View settings) { var v = views; var s = settings; Do(() => _cpu.Sgd(v, s)); }

    private void Do(Action work)
    {
        Live("cuLaunchKernel");
        if (_recording is { } list)
        {
            list.Add(work);
            return;
        }
        Calls++;
        work();
    }

    private void Wait(string call)
    {
        Live("cuStreamSynchronize");
        if (_recording is not null) throw CaptureError.Of(call);
    }

    private void Live(string call)
    {
        if (IsLost) throw new DeviceLost($"{Device} is lost: {call} said CUDA_ERROR_ECC_UNCORRECTABLE. Restart the process; look at the driver's log if it happens again.");
    }

    private void Report()
    {
        if (_found is not { } error) return;
        _found = null;
        throw error;
    }

    private sealed class Graph(ReplayBackend owner, List<Action> work, PrivatePool pool) : IReplayable
    {
        public void Replay()
        {
            ObjectDisposedException.ThrowIf(work.Count == 0, this);
            owner.Live("cuGraphLaunch");
            owner.Replays++;
            foreach (var call in work) call();
        }

        public void Dispose()
        {
            work.Clear();
            pool.Dispose();
        }
    }
}

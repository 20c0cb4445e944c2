using System.Runtime.InteropServices;
using global::Sfn.Backends;
using global::Sfn.Backends.Ilgpu.Cuda;
using global::Sfn.CudaEmulator;

namespace Sfn.Tests.Gpu.Ptx;

/// <summary>Runs attention's tensor-core kernels in the interpreter, through the engine's own choice of kernels and parameters.</summary>
internal sealed class FlashRun : ICudaQueue, IDisposable
{
    private static readonly Dictionary<string, PtxKernel> s_programs = [];
    private readonly HostMemory _memory = new();
    private readonly List<(ulong Address, long Bytes)> _blocks = [(0, 0)];

    /// <summary>Cycles that accesses of shared memory take beyond the least.</summary>
    public long BankConflicts { get; private set; }

    /// <summary>The kernels that ran.</summary>
    public List<string> Kernels { get; } = [];

    public GemmDevice Facts => new(132, 232448, 233472, true);

    public void Dispose() => _memory.Dispose();

    public ulong Address(in View view) => _blocks[(int)view.Storage.Pointer].Address + (ulong)(view.Offset * view.DType.Size());

    public View Rent(in Shape shape, DType dtype) => Make(shape, dtype, []);

    public void Return(in View view)
    {
    }

    public void Copy(in View from, in View to) => throw new NotSupportedException();

    /// <summary>A dense view of a new block with the given bytes, and 0xFF (NaN) behind them.</summary>
    public View Make(Shape shape, DType dtype, ReadOnlySpan<byte> bytes, long offset = 0)
    {
        long size = (shape.Count + offset) * dtype.Size();
        ulong address = _memory.Allocate(Math.Max(1, size));
        var block = _memory.At(address, (int)size, 1, "the test");
        block.Fill(0xFF);
        bytes.CopyTo(block[(int)(offset * dtype.Size())..]);
        _blocks.Add((address, size));
        var storage = new Storage(null!, _blocks.Count - 1, size);
        GC.SuppressFinalize(storage);
        return new View(storage, dtype, shape, Strides.Dense(shape), offset);
    }

    /// <summary>A view's elements in order.</summary>
    public float[] Read(in View view)
    {
        var values = new float[view.Count];
        Shape shape = view.Shape;
        for (int i = 0; i < values.Length; i++)
        {
            long at = 0, rest = i;
            for (int d = shape.Rank - 1; d >= 0; rest /= shape[d--]) at += rest % shape[d] * view.Strides[d];
            int size = view.DType.Size();
            var bytes = _memory.At(Address(view) + (ulong)(at * size), size, size, "the test");
            values[i] = view.DType == DType.BF16 ? (float)new BFloat16(MemoryMarshal.Read<ushort>(bytes)) : MemoryMarshal.Read<float>(bytes);
        }
        return values;
    }

    public void Start<T>(string name, Func<string> text, in Launch launch, in T parameter) where T : unmanaged
    {
        PtxKernel? program;
        lock (s_programs)
            if (!s_programs.TryGetValue(name, out program)) s_programs[name] = program = Assert.Single(PtxModule.Load(text()).Kernels.Values);
        Assert.Equal(launch.Threads, program.MaxThreads);
        var report = program.Launch(new(launch.GridX, (int)launch.GridY, 1, launch.Threads, 1, 1, launch.SharedBytes),
            MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in parameter)), _memory.Map(), statistics: true);
        BankConflicts += report.BankConflicts;
        Kernels.Add(name);
    }
}

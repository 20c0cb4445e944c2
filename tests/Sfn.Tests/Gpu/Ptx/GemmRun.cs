using System.Runtime.InteropServices;
using global::Sfn.Backends;
using global::Sfn.Backends.Ilgpu.Cuda;
using global::Sfn.CudaEmulator;
using global::Sfn.CudaEmulator.Execution;

namespace Sfn.Tests.Gpu.Ptx;

/// <summary>A product to run in the interpreter: sizes, storage and epilogue.</summary>
internal sealed record GemmCase(int M, int N, int K, DType Operands, DType Result)
{
    public bool TransposedA { get; init; }

    /// <summary>B as [n, k] in memory.</summary>
    public bool TransposedB { get; init; }

    public int Batch0 { get; init; } = 1;

    public int Batch1 { get; init; } = 1;

    /// <summary>Further elements per row of A, B and C in memory.</summary>
    public int PadA { get; init; }

    public int PadB { get; init; }

    public int PadC { get; init; }

    /// <summary>First element of A behind a 256-byte boundary.</summary>
    public int ShiftA { get; init; }

    /// <summary>One B for all batches.</summary>
    public bool SharedB { get; init; }

    /// <summary>C as [batch0, m, n, batch1].</summary>
    public bool Interleaved { get; init; }

    public bool Accumulate { get; init; }

    public DType? Bias { get; init; }

    public bool Residual { get; init; }

    public Activation Activation { get; init; }

    /// <summary>A kernel by the first part of its name, and splits; else the engine chooses.</summary>
    public string? Tile { get; init; }

    public int Splits { get; init; }

    public bool Hopper { get; init; } = true;

    public MatMulMode Mode { get; init; } = MatMulMode.Tf32;

    /// <summary>Bits of A's first element, or elements.</summary>
    public uint? Special { get; init; }
}

/// <summary>Runs a product's kernels and compares with float64.</summary>
internal sealed class GemmRun : IDisposable
{
    private static readonly Dictionary<string, PtxKernel> s_programs = [];
    private readonly HostMemory _memory = new();
    private readonly Random _random = new(7);
    private readonly GemmCase _case;
    private readonly GemmMatrix _a, _b, _c, _bias, _residual;
    private readonly long _sizeC;
    private readonly double[] _before;
    private readonly Dictionary<ulong, long> _counts = [];
    private double[] _factorsA = [], _factorsB = [];

    public GemmRun(GemmCase c)
    {
        _case = c;
        int batches = c.Batch0 * c.Batch1, rowA = (c.TransposedA ? c.M : c.K) + c.PadA, rowB = (c.TransposedB ? c.K : c.N) + c.PadB;
        long a = (long)rowA * (c.TransposedA ? c.K : c.M), b = (long)rowB * (c.TransposedB ? c.N : c.K);
        _a = new(Random(c.Operands, a * batches, c.ShiftA), c.Operands, c.TransposedA ? 1 : rowA, c.TransposedA ? rowA : 1, a * c.Batch1, a);
        _b = new(Random(c.Operands, b * (c.SharedB ? 1 : batches)), c.Operands, c.TransposedB ? 1 : rowB, c.TransposedB ? rowB : 1,
            c.SharedB ? 0 : b * c.Batch1, c.SharedB ? 0 : b);
        int rowC = c.N * (c.Interleaved ? c.Batch1 : 1) + c.PadC;
        long sheet = (long)rowC * c.M;
        _sizeC = sheet * (c.Interleaved ? c.Batch0 : batches);
        GemmMatrix Result(ulong address) =>
            c.Interleaved ? new(address, c.Result, rowC, c.Batch1, sheet, 1) : new(address, c.Result, rowC, 1, sheet * c.Batch1, sheet);
        _c = Result(Random(c.Result, _sizeC));
        if (c.Residual) _residual = Result(Random(c.Result, _sizeC));
        if (c.Bias is { } bias) _bias = new(Random(bias, (long)c.N * batches), bias, 0, 1, (long)c.N * c.Batch1, c.N);
        if (c.Special is { } bits) MemoryMarshal.Write(_memory.At(_a.Address, 4, 4, "the test"), bits);
        _before = [.. Enumerable.Range(0, (int)_sizeC).Select(i => Get(_c, i))];
    }

    public long BankConflicts { get; private set; }

    public long SharedAccesses { get; private set; }

    /// <summary>The plan's kernel and splits.</summary>
    public string Kernel { get; private set; } = "";

    /// <summary>Runs the kernels and returns the largest |difference| / (1 + |expected|) of C; what is no element of C must be as before.</summary>
    public double Error()
    {
        var problem = new GemmProblem
        {
            M = _case.M, N = _case.N, K = _case.K, Batch0 = _case.Batch0, Batch1 = _case.Batch1, A = _a, B = _b, C = _c, Bias = _bias, Residual = _residual,
            Accumulate = _case.Accumulate, Activation = _case.Activation, Mode = _case.Mode,
        };
        Assert.True(TensorCoreGemm.Supports(problem), _case.ToString());
        var device = new GemmDevice(132, 232448, 233472, _case.Hopper);
        var chosen = GemmChoice.Choose(problem, device);
        var plan = _case.Tile is null ? GemmPlan.Make(problem, device) : GemmPlan.Make(problem, Alternative(chosen.Kernel), Math.Max(1, _case.Splits));
        Kernel = $"{plan.Kernel.Name}, {plan.Splits} splits";
        ulong workspace = plan.WorkspaceBytes == 0 ? 0 : Workspace(plan.WorkspaceBytes);
        Run($"{plan.Kernel.Name} {_case.Hopper}", plan.Kernel.Text(_case.Hopper), plan.Product, plan.ProductParameters(workspace));
        if (plan.Splits > 1) Run(GemmReduce.Name, GemmReduce.Text, plan.Reduction, plan.ReductionParameters(workspace));
        return Compare();
    }

    public void Dispose() => _memory.Dispose();

    private GemmKernel Alternative(GemmKernel like) => Assert.Single(GemmKernel.All, k =>
        k.Kind == like.Kind && k.A == like.A && k.B == like.B && k.CopyBytes == like.CopyBytes && $"{k.Tile.M}x{k.Tile.N}" == _case.Tile);

    private void Run(string name, Func<string> text, Launch launch, GemmParameters parameters)
    {
        PtxKernel? program;
        lock (s_programs)
            if (!s_programs.TryGetValue(name, out program)) s_programs[name] = program = Assert.Single(PtxModule.Load(text()).Kernels.Values);
        Assert.Equal(launch.Threads, program.MaxThreads);
        var report = program.Launch(new(launch.GridX, (int)launch.GridY, 1, launch.Threads, 1, 1, launch.SharedBytes),
            MemoryMarshal.AsBytes(new ReadOnlySpan<GemmParameters>(ref parameters)), _memory.Map(), statistics: true);
        BankConflicts += report.BankConflicts;
        SharedAccesses += report.SharedAccesses;
    }

    private double Compare()
    {
        double worst = 0;
        (_factorsA, _factorsB) = (Factors(_a), Factors(_b));
        bool[] written = new bool[_sizeC];
        for (int outer = 0; outer < _case.Batch0; outer++)
        {
            for (int inner = 0; inner < _case.Batch1; inner++)
            {
                for (int m = 0; m < _case.M; m++)
                {
                    for (int n = 0; n < _case.N; n++)
                    {
                        long at = At(_c, outer, inner, m, n);
                        written[at] = true;
                        double expected = Expected(outer, inner, m, n, at), error = Math.Abs(Get(_c, at) - expected) / (1 + Math.Abs(expected));
                        if (!double.IsFinite(expected)) error = Same(Get(_c, at), expected) ? 0 : double.PositiveInfinity;
                        worst = error <= worst ? worst : error;
                    }
                }
            }
        }
        for (int i = 0; i < _sizeC; i++) Assert.True(written[i] || Get(_c, i).Equals(_before[i]), $"{Kernel}: element {i} is none of C's and has changed");
        return worst;
    }

    // Products of float32 in parts may make NaN of ∞.
    private bool Same(double actual, double special) => actual.Equals(special) || (_case.Mode == MatMulMode.Float32 && double.IsNaN(actual));

    private double Expected(int outer, int inner, int m, int n, long at)
    {
        double sum = _case.Accumulate ? _before[at] : 0;
        for (int k = 0; k < _case.K; k++) sum += _factorsA[At(_a, outer, inner, m, k)] * _factorsB[At(_b, outer, inner, k, n)];
        if (_case.Bias is not null) sum += Get(_bias, At(_bias, outer, inner, 0, n));
        sum = _case.Activation switch
        {
            Activation.Gelu => sum / (1 + Math.Exp(-1.5957691216057308 * sum * (1 + 0.044715 * sum * sum))),
            Activation.Silu => sum / (1 + Math.Exp(-sum)),
            Activation.Relu => Math.Max(sum, 0),
            _ => sum,
        };
        return _case.Residual ? sum + Get(_residual, at) : sum;
    }

    // What the tensor core multiplies.
    private double[] Factors(GemmMatrix matrix)
    {
        double[] factors = new double[_counts[matrix.Address]];
        for (int i = 0; i < factors.Length; i++)
        {
            factors[i] = Get(matrix, i);
            if (matrix.Type == DType.F32 && _case.Mode == MatMulMode.Tf32)
                factors[i] = BitConverter.UInt32BitsToSingle(Conversions.Tf32(BitConverter.SingleToUInt32Bits((float)factors[i]), _case.Hopper));
        }
        return factors;
    }

    private static long At(in GemmMatrix x, int outer, int inner, int row, int column) => outer * x.Batch0 + inner * x.Batch1 + row * x.Row + column * x.Column;

    private double Get(in GemmMatrix x, long i)
    {
        var bytes = _memory.At(x.Address + (ulong)(i * x.Type.Size()), x.Type.Size(), x.Type.Size(), "the test");
        return x.Type == DType.BF16 ? (float)new BFloat16(MemoryMarshal.Read<ushort>(bytes)) : MemoryMarshal.Read<float>(bytes);
    }

    private ulong Random(DType type, long count, int shift = 0)
    {
        int size = type.Size();
        ulong address = _memory.Allocate(Math.Max(1, count) * size, shift * size);
        _counts.Add(address, count);
        for (long i = 0; i < count; i++)
        {
            float value = (float)(2 * _random.NextDouble() - 1);
            var bytes = _memory.At(address + (ulong)(i * size), size, size, "the test");
            if (type == DType.BF16) MemoryMarshal.Write(bytes, ((BFloat16)value).Bits);
            else MemoryMarshal.Write(bytes, value);
        }
        return address;
    }

    private ulong Workspace(long bytes)
    {
        ulong address = _memory.Allocate(bytes);
        _memory.At(address, (int)bytes, 16, "the test").Fill(0xFF);
        return address;
    }
}

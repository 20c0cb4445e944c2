using global::Sfn.Backends;
using global::Sfn.Backends.Ilgpu.Cuda;
using global::Sfn.CudaEmulator;
using global::Sfn.Ops;
using HostMemory = Sfn.Tests.Gpu.Ptx.HostMemory;

namespace Sfn.Tests.Gpu;

/// <summary>Products of views as the ops ask for them, through choice, packing and launches, in host memory.</summary>
public class CudaMatMulTests
{
    public static TheoryData<string, string> Cases()
    {
        var data = new TheoryData<string, string>();
        foreach (string name in s_cases.Keys)
        {
            data.Add(name, "F32");
            data.Add(name, "BF16");
        }
        return data;
    }

    // a, b, c: views with the strides that the op of that name uses.
    private static readonly Dictionary<string, Func<DType, (View A, View B, View C, MatMulSpec Spec)>> s_cases = new()
    {
        ["linear"] = t => (New(t, 20, 24), New(t, 40, 24).Transpose(0, 1), New(t, 20, 40),
            new() { Bias = New(DType.F32, 40), Residual = New(t, 20, 40), Activation = Activation.Gelu }),
        ["linear, gradient of the input"] = t => (New(t, 20, 40), New(t, 40, 24), New(t, 20, 24), new() { Accumulate = true }),
        ["linear, gradient of the weight"] = t => (New(t, 200, 40).Transpose(0, 1), New(t, 200, 24), New(DType.F32, 40, 24), new() { Accumulate = true }),
        ["odd sizes"] = t => (New(t, 19, 23), New(t, 23, 41), New(t, 19, 41), new() { Bias = New(t, 41), Activation = Activation.Silu }),
        ["odd sizes, transposed"] = t => (New(t, 23, 19).Transpose(0, 1), New(t, 41, 23).Transpose(0, 1), New(t, 19, 41), default),
        ["a column of a wider matrix"] = t => (New(t, 19, 23).Narrow(1, 3, 16), New(t, 16, 41).Narrow(1, 1, 7), New(t, 19, 41).Narrow(1, 5, 7), default),
        ["a vector"] = t => (New(t, 1, 64), New(t, 48, 64).Transpose(0, 1), New(t, 1, 48), default),
        ["two batch dimensions, one repeated"] = t => (New(t, 2, 3, 10, 16), New(t, 2, 1, 16, 12).Expand([2, 3, 16, 12]), New(t, 2, 3, 10, 12), default),
        ["an unaligned operand, repeated"] = t => (New(t, 3, 10, 15), New(t, 1, 15, 13).Expand([3, 15, 13]), New(t, 3, 10, 13), default),
        ["blocks"] = t => (Blocks.Of(Dense(t, 20, 3 * 16), 3), New(t, 3, 24, 16).Transpose(1, 2), Blocks.Of(Dense(t, 20, 3 * 24), 3), default),
        ["blocks, gradient of the weight"] = t => (Blocks.Of(Dense(t, 20, 3 * 24), 3).Transpose(1, 2), Blocks.Of(Dense(t, 20, 3 * 16), 3),
            New(DType.F32, 3, 24, 16), new() { Accumulate = true }),
        ["shuffle, first map"] = t => (Blocks.Of(Dense(t, 20, 3 * 16), 3).Insert(1).Expand([3, 4, 20, 16]), Residues(New(t, 3, 8, 16), 4),
            Runs(New(t, 20, 24), 3, 4), default),
        ["shuffle, second map"] = t => (Blocks.Of(Dense(t, 20, 4 * 6), 4), New(t, 4, 8, 6).Transpose(1, 2), Blocks.Interleaved(Dense(t, 20, 32), 4),
            new() { Bias = Residues(New(DType.F32, 32)) }),
        ["shuffle, gradient of the second weight"] = t => (Blocks.Interleaved(Dense(t, 20, 32), 4).Transpose(1, 2), Blocks.Of(Dense(t, 20, 4 * 6), 4),
            New(DType.F32, 4, 8, 6), default),
        ["shuffle, gradient between the maps"] = t => (Blocks.Interleaved(Dense(t, 20, 32), 4), New(t, 4, 8, 6),
            Blocks.Interleaved(Dense(t, 20, 24), 4), default),
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void ViewsOfEveryOpAreMultiplied(string name, string type)
    {
        s_seed = 1;
        var (a, b, c, spec) = s_cases[name](type == "F32" ? DType.F32 : DType.BF16);
        var expected = Wide(c);
        Device.Cpu.Backend.MatMul(Wide(a), Wide(b), expected, spec with { Bias = Wide(spec.Bias), Residual = Wide(spec.Residual) });
        using var queue = new HostQueue();
        Assert.True(CudaMatMul.TryMatMul(queue, a, b, c, spec));
        Assert.NotEmpty(queue.Started);
        Assert.Equal(0, queue.Rented);
        double[] actual = Values(c), wanted = Values(expected);
        double error = actual.Zip(wanted, (x, y) => Math.Abs(x - y) / (1 + Math.Abs(y))).Max();
        Assert.InRange(error, 0, c.DType == DType.BF16 ? 4e-3 : 1e-5);
    }

    [Fact]
    public void OtherTypesAreLeftToOthers()
    {
        using var queue = new HostQueue();
        View floats = New(DType.F32, 8, 8), halves = New(DType.BF16, 8, 8), doubles = New(DType.F64, 8, 8);
        Assert.False(CudaMatMul.TryMatMul(queue, floats, halves, floats, default));
        Assert.False(CudaMatMul.TryMatMul(queue, doubles, doubles, doubles, default));
        Assert.Empty(queue.Started);
    }

    [ThreadStatic]
    private static ulong s_seed;

    private static View New(DType type, params ReadOnlySpan<int> shape) => Tensor.Uniform(Shape.Create(shape), s_seed++, -1, 1).To(type).View;

    private static Tensor Dense(DType type, params ReadOnlySpan<int> shape) => Tensor.Uniform(Shape.Create(shape), s_seed++, -1, 1).To(type);

    // Row i·l + λ of block κ, as [κ, λ, column, i].
    private static View Residues(View weight, int l)
    {
        Assert.True(weight.TryReshape([weight.Shape[0], weight.Shape[1] / l, l, weight.Shape[2]], out var split));
        return split.Permute([0, 2, 3, 1]);
    }

    // Column λ·(k·q/l) + κ·(q/l) + i, as [κ, λ, row, i].
    private static View Runs(View z, int k, int l)
    {
        Assert.True(z.TryReshape([z.Shape[0], l, k, z.Shape[1] / l / k], out var split));
        return split.Permute([2, 1, 0, 3]);
    }

    // Output σ·4 + λ belongs to block λ.
    private static View Residues(View bias)
    {
        Assert.True(bias.TryReshape([bias.Shape[0] / 4, 4], out var split));
        return split.Transpose(0, 1).Insert(1);
    }

    private static View Wide(in View x)
    {
        var wide = Tensor.Zeros(x.Shape, DType.F64).View;
        Device.Cpu.Backend.Copy(x, wide);
        return wide;
    }

    private static View? Wide(View? x) => x is { } view ? Wide(view) : null;

    private static double[] Values(in View x)
    {
        var dense = Tensor.Zeros(x.Shape, DType.F64);
        Device.Cpu.Backend.Copy(x, dense.View);
        return dense.ToArray<double>();
    }

    /// <summary>Device memory is the CPU's; kernels run in the machine.</summary>
    private sealed class HostQueue : ICudaQueue, IDisposable
    {
        private readonly HostMemory _memory = new();
        private readonly List<Tensor> _rented = [];

        public List<string> Started { get; } = [];

        public int Rented { get; private set; }

        public GemmDevice Facts { get; } = new(132, 232448, 233472, Hopper: true);

        public unsafe ulong Address(in View view)
        {
            _memory.Adopt((ulong)view.Storage.Pointer, view.Storage.Bytes);
            return (ulong)view.Pointer;
        }

        public View Rent(in Shape shape, DType dtype)
        {
            Rented++;
            _rented.Add(Tensor.Full(shape, double.NaN, dtype));
            return _rented[^1].View;
        }

        public void Return(in View view) => Rented--;

        public void Copy(in View from, in View to) => Device.Cpu.Backend.Copy(from, to);

        public unsafe void Start<T>(string name, Func<string> text, in Launch launch, in T parameter) where T : unmanaged
        {
            Started.Add(name);
            var kernel = Assert.Single(PtxModule.Load(text()).Kernels.Values);
            fixed (T* p = &parameter)
                kernel.Launch(new(launch.GridX, (int)launch.GridY, 1, launch.Threads, 1, 1, launch.SharedBytes), new ReadOnlySpan<byte>(p, sizeof(T)),
                    _memory.Map(), statistics: false);
        }

        public void Dispose() => _memory.Dispose();
    }
}

using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Running;
using Sfn.Autograd;

namespace Sfn.Bench;

/// <summary>BenchmarkDotNet benchmarks: kernels in cache and the cost of the engine around them.</summary>
public static class Micro
{
    internal static int Run(string[] args)
    {
        BenchmarkSwitcher.FromTypes([typeof(Kernels), typeof(Overhead)]).Run(args);
        return 0;
    }
}

/// <summary>Elementwise and row kernels on arrays that fit the caches.</summary>
[MemoryDiagnoser]
public class Kernels
{
    private readonly Tensor _x = Tensor.Randn([64, 256], 1), _w = Tensor.Ones([256]);

    /// <summary>e^x of 16,384 elements.</summary>
    [Benchmark]
    public void Exp() => Scoped(() => _x.Exp());

    /// <summary>GELU of 16,384 elements.</summary>
    [Benchmark]
    public void Gelu() => Scoped(() => _x.Gelu());

    /// <summary>Softmax of 64 rows of 256.</summary>
    [Benchmark]
    public void Softmax() => Scoped(() => _x.Softmax());

    /// <summary>LayerNorm of 64 rows of 256.</summary>
    [Benchmark]
    public void LayerNorm() => Scoped(() => _x.LayerNorm(_w, _w));

    /// <summary>A product 64 × 256 × 256.</summary>
    [Benchmark]
    public void MatMul() => Scoped(() => _x.MatMul(_x.Transpose()));

    private static void Scoped(Func<Tensor> f)
    {
        using var scope = Scope.Open();
        f();
    }
}

/// <summary>What an op costs apart from its arithmetic, on eight elements.</summary>
[MemoryDiagnoser]
public class Overhead
{
    private const int Ops = 1000;
    private readonly Parameter _p = new("p", Tensor.Ones([8]));
    private readonly Tensor _b = Tensor.Ones([8]);

    /// <summary>One op without a tape.</summary>
    [Benchmark(OperationsPerInvoke = Ops)]
    public void Forward()
    {
        using var scope = Scope.Open();
        var h = _b;
        for (int i = 0; i < Ops; i++) h *= _b;
    }

    /// <summary>One op recorded and differentiated.</summary>
    [Benchmark(OperationsPerInvoke = Ops)]
    public void RecordAndBackward()
    {
        using var tape = new Tape();
        var h = _p.Value;
        for (int i = 0; i < Ops; i++) h *= _b;
        tape.Backward(h.Sum());
        _p.ClearGradient();
    }
}

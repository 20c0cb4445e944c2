using global::Sfn.Backends;
using global::Sfn.Backends.Ilgpu.Cuda;
using Sfn.Tests.Gpu.Ptx;

namespace Sfn.Tests.Gpu;

/// <summary>The tensor-core products, executed instruction by instruction and compared with float64.</summary>
public class TensorCoreGemmTests
{
    public static TheoryData<string, bool> Kernels()
    {
        var data = new TheoryData<string, bool>();
        foreach (var kernel in GemmKernel.All)
        {
            data.Add(kernel.Name, true);
            if (kernel.Kind == GemmKind.Tf32) data.Add(kernel.Name, false);
        }
        return data;
    }

    // Edges along every index, two tiles of m where that does not take long, a ragged end of k.
    [Theory]
    [MemberData(nameof(Kernels))]
    public void EveryKernelIsRightAndFreeOfBankConflicts(string name, bool hopper)
    {
        var kernel = Assert.Single(GemmKernel.All, k => k.Name == name);
        bool wide = kernel.CopyBytes == 16, half = kernel.Kind == GemmKind.BFloat16;
        int even = half ? 2 : 1;
        bool ta = kernel.A == OperandLayout.OuterContiguous, tb = kernel.B == OperandLayout.KContiguous;
        // Rows of 16-byte multiples for wide copies; else a row length, and a first element, that allow four bytes only.
        int m = kernel.Tile == GemmTile.Wide ? 90 : kernel.Tile.M + 6, n = kernel.Tile.N - 6, k = wide ? 3 * kernel.TileK + 8 : 2 * kernel.TileK + 9;
        int Pad(int length) => wide ? (8 - length % 8) % 8 : length % 2 == 0 ? even : 1;
        using var run = new GemmRun(new(m, n, k, half ? DType.BF16 : DType.F32, DType.F32)
        {
            TransposedA = ta,
            TransposedB = tb,
            PadA = Pad(ta ? m : k),
            PadB = Pad(tb ? k : n),
            ShiftA = wide ? 0 : even,
            Tile = $"{kernel.Tile.M}x{kernel.Tile.N}",
            Hopper = hopper,
            Mode = kernel.Kind == GemmKind.Tf32 ? MatMulMode.Tf32 : MatMulMode.Float32,
        });
        // Float32 products meet the same bound: no factor is rounded there.
        Assert.InRange(run.Error(), 0, 3e-6);
        Assert.Equal($"{name}, 1 splits", run.Kernel);
        Assert.True(run.SharedAccesses > 0);
        Assert.Equal(0, run.BankConflicts);
    }

    public static TheoryData<string, string, Activation, int, int> Epilogues()
    {
        var data = new TheoryData<string, string, Activation, int, int>();
        foreach (var result in new[] { DType.F32, DType.BF16 })
            foreach (var bias in new[] { DType.F32, DType.BF16 })
                foreach (var activation in Enum.GetValues<Activation>())
                    foreach (int columns in new[] { 72, 71 })
                        foreach (int splits in new[] { 1, 2 }) data.Add(result.Name(), bias.Name(), activation, columns, splits);
        return data;
    }

    // 71 columns cannot be stored four at a time.
    [Theory]
    [MemberData(nameof(Epilogues))]
    public void EpiloguesAddBiasActivationAndResidual(string result, string bias, Activation activation, int columns, int splits)
    {
        DType Of(string name) => name == "F32" ? DType.F32 : DType.BF16;
        using var run = new GemmRun(new(40, columns, 128, DType.BF16, Of(result))
        {
            TransposedB = true, Accumulate = true, Bias = Of(bias), Residual = true, Activation = activation, Tile = "64x64", Splits = splits,
        });
        Assert.InRange(run.Error(), 0, result == "F32" ? 2e-6 : 4e-3);
        Assert.EndsWith($"{splits} splits", run.Kernel);
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("BF16")]
    public void BatchesAndInterleavedResultsAreStrides(string type)
    {
        var operands = type == "F32" ? DType.F32 : DType.BF16;
        double limit = type == "F32" ? 2e-6 : 4e-3;
        var interleaved = new GemmCase(70, 40, 72, operands, operands)
        {
            TransposedB = true, Batch0 = 2, Batch1 = 3, Interleaved = true, Bias = operands, PadC = 3,
        };
        var split = new GemmCase(70, 40, 264, operands, operands)
        {
            TransposedA = true, PadA = 2, Batch0 = 2, Batch1 = 3, Residual = true, Tile = "64x64", Splits = 2,
        };
        var shared = new GemmCase(5, 40, 72, operands, DType.F32) { Batch0 = 3, Batch1 = 2, SharedB = true, Accumulate = true };
        foreach (var each in new[] { interleaved, interleaved with { Residual = true, Accumulate = true, Activation = Activation.Gelu }, split, shared })
        {
            using var run = new GemmRun(each);
            Assert.InRange(run.Error(), 0, limit);
        }
    }

    [Theory]
    [InlineData(1, 256, 512)]
    [InlineData(33, 1, 64)]
    [InlineData(7, 9, 1)]
    [InlineData(8, 8, 0)]
    [InlineData(1, 1, 1)]
    [InlineData(1100, 24, 72)]
    public void AnySizeWorks(int m, int n, int k)
    {
        foreach (var type in new[] { DType.F32, DType.BF16 })
        {
            using var run = new GemmRun(new(m, n, k, type, DType.F32) { TransposedB = true, PadA = k % 2, PadB = k % 2, Bias = DType.F32 });
            Assert.InRange(run.Error(), 0, 5e-6);
        }
    }

    public static TheoryData<string, bool, MatMulMode, uint> Specials() => new()
    {
        { "F32", true, MatMulMode.Tf32, 0x7FFFFFFF },
        { "F32", false, MatMulMode.Tf32, 0x7FFFFFFF },
        { "F32", true, MatMulMode.Float32, 0x7FFFFFFF },
        { "F32", true, MatMulMode.Float32, 0x7FC00000 },
        { "F32", true, MatMulMode.Float32, 0xFF800000 },
        { "F32", true, MatMulMode.Tf32, 0x7F800000 },
        { "BF16", true, MatMulMode.Float32, 0x7FFF7FFF },
    };

    // NaN in any form, ±∞.
    [Theory]
    [MemberData(nameof(Specials))]
    public void SpecialValuesStayInTheirRow(string type, bool hopper, MatMulMode mode, uint bits)
    {
        using var run = new GemmRun(new(20, 24, 40, type == "F32" ? DType.F32 : DType.BF16, DType.F32)
        {
            TransposedB = true, Special = bits, Hopper = hopper, Mode = mode, Activation = Activation.Relu,
        });
        Assert.InRange(run.Error(), 0, 5e-6);
    }

    [Fact]
    public void WhatCannotBeCopiedIsNotSupported()
    {
        GemmMatrix good = new(256, DType.BF16, 64, 1), c = new(512, DType.F32, 64, 1);
        var problem = new GemmProblem { M = 64, N = 64, K = 64, A = good, B = good, C = c };
        Assert.True(TensorCoreGemm.Supports(problem));
        Assert.False(TensorCoreGemm.Supports(problem with { A = good with { Row = 65 } }));
        Assert.True(TensorCoreGemm.Supports(problem with { A = good with { Row = 66 } }));
        Assert.False(TensorCoreGemm.Supports(problem with { A = good with { Column = 2 } }));
        Assert.False(TensorCoreGemm.Supports(problem with { A = good with { Address = 258 } }));
        Assert.False(TensorCoreGemm.Supports(problem with { B = good with { Type = DType.F32 } }));
        var floats = problem with { A = good with { Type = DType.F32 }, B = good with { Type = DType.F32 } };
        Assert.True(TensorCoreGemm.Supports(floats));
        Assert.Equal((GemmKind.Float32, GemmKind.Tf32), (floats.Kind, (floats with { Mode = MatMulMode.Tf32 }).Kind));
        // A single row has no distance of rows.
        Assert.True(TensorCoreGemm.Supports(problem with { M = 1, A = good with { Row = 65 } }));
    }

    [Fact]
    public void ThePlanFitsTheDevice()
    {
        GemmMatrix a = new(256, DType.BF16, 8192, 1), b = new(256, DType.BF16, 1, 8192), c = new(512, DType.BF16, 8192, 1);
        var problem = new GemmProblem { M = 8192, N = 8192, K = 8192, A = a, B = b, C = c };
        foreach (int shared in new[] { 101376, 166912, 232448 })
        {
            var plan = GemmPlan.Make(problem, new GemmDevice(100, shared, shared + 1024, Hopper: false));
            Assert.InRange(plan.Product.SharedBytes, 1, shared);
            Assert.True(plan.Kernel.Tile.M * plan.Kernel.Tile.N >= 128 * 128, plan.Kernel.Name);
        }
        Assert.Throws<InvalidOperationException>(() => GemmPlan.Make(problem, new GemmDevice(100, 16384, 65536, Hopper: false)));
        // Few tiles of C and a long sum: parts of it keep the device busy.
        var narrow = problem with { M = 768, N = 768, K = 30720 };
        var split = GemmPlan.Make(narrow, new GemmDevice(132, 232448, 233472, Hopper: true));
        Assert.InRange(split.Product.GridX * split.Product.GridY, 72u, 1000u);
        Assert.True(split.Splits > 1 && split.WorkspaceBytes == 4L * 768 * 768 * split.Splits);
    }

    [Fact]
    public void KernelNamesAreUnique() => Assert.Equal(GemmKernel.All.Count, GemmKernel.All.Select(k => k.Name).Distinct().Count());
}

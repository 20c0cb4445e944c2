using System.Runtime.InteropServices;
using Sfn.Backends.Cpu;
using Sfn.Ops;

namespace Sfn.Tests;

/// <summary>Arguments that would reach beyond a tensor's memory are refused, and books about memory stay right.</summary>
public class SafetyTests : LeakCheck
{
    [Fact]
    public void A_count_that_does_not_fit_is_refused()
    {
        Assert.Contains("2^60", Assert.Throws<ShapeMismatch>(() => { Shape shape = [65536, 65536, 65536, 65536]; }).Message);
        Assert.Throws<ShapeMismatch>(() => Tensor.Zeros([int.MaxValue, int.MaxValue]));
        Shape most = [1 << 30, 1 << 30];
        Assert.Equal(1L << 60, most.Count);
        Shape none = [0, int.MaxValue, int.MaxValue, int.MaxValue];
        Assert.Equal(0, none.Count);
    }

    [Fact]
    public void A_slice_whose_end_overflows_is_refused()
    {
        using var scope = Scope.Open();
        var x = Tensor.Zeros([4]);
        Assert.Throws<ShapeMismatch>(() => x.Narrow(0, 1, int.MaxValue));
        Assert.Throws<ShapeMismatch>(() => x.Narrow(0, int.MaxValue, int.MaxValue));
    }

    [Fact]
    public void Rope_positions_outside_the_tables_are_refused()
    {
        using var scope = Scope.Open();
        var x = Tensor.Zeros([1, 2, 1, 4]);
        var (cos, sin) = Tensor.RopeTables(4, 4);
        Assert.Contains("from position -1", Assert.Throws<ShapeMismatch>(() => x.Rope(cos, sin, -1)).Message);
        Assert.Throws<ShapeMismatch>(() => x.Rope(cos, sin, int.MaxValue));
        Assert.Throws<DTypeMismatch>(() => x.Rope(cos, sin.To(DType.F64)));
    }

    [Fact]
    public void Inputs_on_two_devices_are_refused()
    {
        using var scope = Scope.Open();
        Tensor x = Tensor.Zeros([1, 2, 1, 4]), ids = Tensor.From([0, 1], Device.Reference);
        var (cos, sin) = Tensor.RopeTables(4, 4, device: Device.Reference);
        Assert.Throws<DeviceMismatch>(() => x.Rope(cos, sin));
        Assert.Throws<DeviceMismatch>(() => Tensor.Attention(x, x, x, mask: Tensor.Ones([1, 2], DType.Bool, Device.Reference)));
        Assert.Throws<DeviceMismatch>(() => Tensor.Zeros([2, 3]).ScatterAdd(ids, Tensor.Zeros([2, 3])));
        Assert.Throws<DeviceMismatch>(() => Tensor.Zeros([2, 3]).CrossEntropy(ids));
        Assert.Throws<DeviceMismatch>(() => Tensor.Zeros([2, 3]).LinearCrossEntropy(Tensor.Zeros([4, 3]), ids));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(-4)]
    public void Unsqueeze_names_the_places_there_are(int dim)
    {
        using var scope = Scope.Open();
        Assert.Contains("use -3..2", Assert.Throws<ShapeMismatch>(() => Tensor.Zeros([2, 3]).Unsqueeze(dim)).Message);
    }

    [Fact]
    public void Reshape_takes_one_unknown_size()
    {
        using var scope = Scope.Open();
        Assert.Contains("only one size may be -1", Assert.Throws<ShapeMismatch>(() => Tensor.Zeros([2, 3]).Reshape(-1, -1)).Message);
    }

    [Fact]
    public void Argmax_keeps_the_order_of_the_other_dimensions()
    {
        using var scope = Scope.Open();
        var x = Tensor.Randn([3, 4, 5], 1);
        for (int dim = 0; dim < 3; dim++)
        {
            var y = x.ArgMax(dim);
            Assert.Equal(x.Shape.Without(dim), y.Shape);
            // The element at the index is the maximum.
            var hit = y.Unsqueeze(dim).EqualTo(Positions(x.Shape[dim], dim));
            Assert.Equal(x.Max(dim).ToArray(), Tensor.Where(hit, x, Tensor.Zeros([])).Sum(dim).ToArray());
        }

        static Tensor Positions(int count, int dim)
        {
            Shape shape = dim == 0 ? [count, 1, 1] : dim == 1 ? [count, 1] : [count];
            return Tensor.Arange(count, DType.I32).Reshape(shape);
        }
    }

    [Fact]
    public void Composed_cross_entropy_takes_classes_that_cannot_occur()
    {
        using var scope = Scope.Open();
        var x = Tensor.From([0.0, double.NegativeInfinity, 0.0], [1, 3]);
        Assert.Equal(Math.Log(2), x.CrossEntropy(Tensor.From([2])).Item(), 1e-12);
    }

    [Fact]
    public unsafe void Scratch_that_could_not_grow_is_not_handed_out_again()
    {
        bool again = false;
        var thread = new Thread(() =>
        {
            _ = CpuScratch.Rent(ScratchUse.Partials, 100_000);
            try
            {
                _ = CpuScratch.Rent(ScratchUse.Partials, 1L << 58);
            }
            catch (OutOfMemoryException)
            {
                void* other = NativeMemory.AlignedAlloc((100_000 + 64) * sizeof(float), 64);
                again = other == CpuScratch.Rent(ScratchUse.Partials, 100_000);
                NativeMemory.AlignedFree(other);
            }
        });
        thread.Start();
        thread.Join();
        Assert.False(again);
    }
}

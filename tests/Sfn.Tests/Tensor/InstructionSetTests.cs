using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Sfn.Backends.Cpu;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests;

/// <summary>
/// Which kernels run: the widest vectors that the machine has and that the environment leaves. <c>.ci/run</c> runs this project again with each of
/// the switches below, and these tests say whether a switch did anything.
/// </summary>
public class InstructionSetTests
{
    // Floats in a vector; 1 where there are no vectors.
    private static int Width => Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : Vector128.IsHardwareAccelerated ? 4 : 1;

    [Fact]
    public void Switches_of_the_environment_take_vectors_away()
    {
        bool all = On("EnableHWIntrinsic"), avx2 = all && On("EnableAVX2"), avx512 = avx2 && On("EnableAVX512");
        if (!all) Assert.False(Fma.IsSupported || AdvSimd.IsSupported || Vector128.IsHardwareAccelerated, "EnableHWIntrinsic=0 left vectors");
        if (!avx2) Assert.False(Avx2.IsSupported || Vector256.IsHardwareAccelerated, "EnableAVX2=0 left 256-bit vectors");
        if (!avx512) Assert.False(Avx512F.IsSupported || Vector512.IsHardwareAccelerated, "EnableAVX512=0 left 512-bit vectors");
        // What was not switched off is used. (Avx512F without 512-bit vectors exists: processors that clock down for them.)
        if (all) Assert.True(Vector128.IsHardwareAccelerated, "128-bit vectors are missing");
        Assert.Equal(Avx2.IsSupported, Vector256.IsHardwareAccelerated);
        if (Vector512.IsHardwareAccelerated) Assert.True(Avx512F.IsSupported, "512-bit vectors without AVX-512");
    }

    [Fact]
    public void Matrix_kernels_have_the_width_of_the_vectors() => Assert.Equal(Math.Max(4, Width), GemmKernels.Width);

    // An op's body is told its lane: this one writes it down.
    [Theory]
    [InlineData(1000)]
    [InlineData(3)]
    public void Elementwise_kernels_run_on_the_widest_lane(int count)
    {
        using var scope = Scope.Open();
        var x = Tensor.Randn([count], 1);
        var y = x.EmptyLike();
        Witness.Seen = null;
        x.Backend.Map(new Witness(), x.View, y.View);
        Assert.Equal(x.ToArray(), y.ToArray());
        // A walker takes one, two or four vectors at a time.
        Type[] lanes = Width switch
        {
            16 => [typeof(F16), typeof(Two<F16>), typeof(F16x4)],
            8 => [typeof(F8), typeof(Two<F8>)],
            4 => [typeof(F4), typeof(Two<F4>)],
            _ => [typeof(F1)],
        };
        Assert.Contains(Witness.Seen, lanes);
    }

    private static bool On(string name) => Environment.GetEnvironmentVariable("DOTNET_" + name) is not ("0" or "00" or "0x0");

    private readonly struct Witness : IUnary
    {
        public static Type? Seen { get; set; }

        public static string Name => "witness";

        public static Keep Keeps => Keep.None;

        public L Forward<L>(L x) where L : struct, ILane<L>
        {
            Seen = typeof(L);
            return x;
        }

        public L Backward<L>(L x, L y, L dy) where L : struct, ILane<L> => dy;
    }
}

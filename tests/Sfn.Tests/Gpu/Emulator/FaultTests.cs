using global::Sfn.CudaEmulator;

namespace Sfn.Tests.Gpu.Emulator;

/// <summary>What the interpreter refuses, or stops.</summary>
public class FaultTests
{
    [Theory]
    [InlineData("ld.global.u32 %r1, [%rd0+256];", PtxFaultKind.IllegalAddress)]
    [InlineData("ld.global.u32 %r1, [%rd0+-4];", PtxFaultKind.IllegalAddress)]
    [InlineData("st.global.v4.u32 [%rd0+244], {%r0, %r0, %r0, %r0};", PtxFaultKind.MisalignedAddress)]
    [InlineData("st.global.v2.u32 [%rd0+260], {%r0, %r0};", PtxFaultKind.MisalignedAddress)]
    [InlineData("ld.global.u32 %r1, [%rd5];", PtxFaultKind.MisalignedAddress)]
    [InlineData("mov.u32 %r2, 16; st.shared.u32 [%r2], %r0;", PtxFaultKind.IllegalAddress)]
    [InlineData("setp.eq.u32 %p0, %r0, 0; @%p0 bra HERE; bar.sync 0; HERE:", PtxFaultKind.Divergence)]
    [InlineData("setp.eq.u32 %p0, %r0, 0; @%p0 bra HERE; bar.sync 0; bra END; HERE: bar.sync 0; END:", PtxFaultKind.Divergence)]
    [InlineData("setp.eq.u32 %p0, %r0, 0; @%p0 vote.sync.any.pred %p1, %p0, 0xffffffff;", PtxFaultKind.Divergence)]
    [InlineData("trap;", PtxFaultKind.Undefined)]
    public void StopsKernels(string body, PtxFaultKind kind)
    {
        var fault = Assert.Throws<PtxFaultException>(() => Kernels.Run(body, declarations: ".shared .align 4 .b8 few[16];"));
        Assert.Equal(kind, fault.Kind);
        Assert.Contains("kernel kernel, line ", fault.Message);
    }

    [Theory]
    [InlineData("frobnicate.b32 %r1, %r0;", "frobnicate.b32")]
    [InlineData("add.rz.f32 %f1, %f0, %f0;", "add.rz.f32")]
    [InlineData("mov.u32 %r1, %nowhere;", "%nowhere")]
    [InlineData("bra NOWHERE;", "NOWHERE")]
    [InlineData("ld.global.v2.u32 %r1, [%rd0];", "ld.global.v2.u32")]
    public void RefusesTexts(string body, string named)
    {
        var refusal = Assert.Throws<PtxRejectedException>(() => PtxModule.Load(Kernels.Text(body)));
        Assert.Contains(named, refusal.Message);
        Assert.Equal(14, refusal.Line);
    }

    [Fact]
    public void RefusesTooManyThreads() =>
        Assert.Equal(PtxFaultKind.BadLaunch, Assert.Throws<PtxFaultException>(() => Kernels.Run("", threads: 65)).Kind);
}

using global::Sfn.CudaEmulator;

namespace Sfn.Tests.Gpu.Emulator;

/// <summary>Barriers that are missing between the warps of a block, though the order in which the interpreter runs them may give the right numbers.</summary>
public class RaceTests
{
    private const string Buffer = ".shared .align 16 .b8 buffer[256];";

    [Theory]
    [InlineData(0, "st.shared.u32 [%r3], 5;", "ld.shared.u32 %r1, [%r3];")]
    [InlineData(32, "st.shared.u32 [%r3], 5;", "ld.shared.u32 %r1, [%r3];")]
    [InlineData(0, "st.shared.u32 [%r3], 5;", "st.shared.b16 [%r3+2], 7;")]
    [InlineData(0, "cp.async.ca.shared.global [%r3], [%rd0], 4; cp.async.wait_all;", "ld.shared.u32 %r1, [%r3];")]
    [InlineData(32, "cp.async.ca.shared.global [%r3], [%rd0], 4; cp.async.wait_all;", "ld.shared.u32 %r1, [%r3];")]
    public void MissingBarriersAreFound(int writer, string write, string other)
    {
        string Body(string barrier) => $"""
            mov.u32 %r3, buffer;
            setp.eq.u32 %p0, %r0, {writer};
            setp.eq.u32 %p1, %r0, {32 - writer};
            @!%p0 bra OTHERS;
            {write}
            OTHERS:
            {barrier}
            @!%p1 bra END;
            {other}
            END:
            """;
        var fault = Assert.Throws<PtxFaultException>(() => Kernels.Run(Body(""), threads: 64, declarations: Buffer));
        Assert.Equal(PtxFaultKind.Race, fault.Kind);
        Kernels.Run(Body("bar.sync 0;"), threads: 64, declarations: Buffer);
    }

    // Each warp has its own words, or all only read.
    [Theory]
    [InlineData("st.shared.u32 [%r4], %r0; ld.shared.u32 %r1, [%r4];")]
    [InlineData("ld.shared.u32 %r1, [%r3];")]
    [InlineData("st.shared.b16 [%r5], 3;")]
    public void WhatIsNotSharedNeedsNone(string body) =>
        Kernels.Run("mov.u32 %r3, buffer; mad.lo.u32 %r4, %r0, 4, %r3; mad.lo.u32 %r5, %r0, 2, %r3; " + body, threads: 64, declarations: Buffer);
}

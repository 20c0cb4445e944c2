namespace Sfn.Tests.Gpu.Emulator;

/// <summary>What the interpreter computes, against numbers worked out by hand from the PTX manual.</summary>
public class InterpreterTests
{
    [Theory]
    [InlineData("sub.s32 %r1, %r2, %r3;", 3u, 5u, 0xFFFFFFFEu)]
    [InlineData("shr.s32 %r1, %r2, %r3;", 0x80000000u, 40u, 0xFFFFFFFFu)]
    [InlineData("shr.u32 %r1, %r2, %r3;", 0x80000000u, 32u, 0u)]
    [InlineData("shl.b32 %r1, %r2, %r3;", 1u, 32u, 0u)]
    [InlineData("div.s32 %r1, %r2, %r3;", 0xFFFFFFF9u, 2u, 0xFFFFFFFDu)]
    [InlineData("rem.s32 %r1, %r2, %r3;", 0xFFFFFFF9u, 2u, 0xFFFFFFFFu)]
    [InlineData("div.u32 %r1, %r2, %r3;", 0xFFFFFFF9u, 2u, 0x7FFFFFFCu)]
    [InlineData("mul.hi.s32 %r1, %r2, %r3;", 0xFFFFFFFFu, 2u, 0xFFFFFFFFu)]
    [InlineData("mul.hi.u32 %r1, %r2, %r3;", 0xFFFFFFFFu, 2u, 1u)]
    [InlineData("min.s32 %r1, %r2, %r3;", 0xFFFFFFFFu, 2u, 0xFFFFFFFFu)]
    [InlineData("min.u32 %r1, %r2, %r3;", 0xFFFFFFFFu, 2u, 2u)]
    [InlineData("mul.wide.s32 %rd2, %r2, %r3; shr.u64 %rd2, %rd2, 32; cvt.u32.u64 %r1, %rd2;", 0xFFFFFFFFu, 2u, 0xFFFFFFFFu)]
    [InlineData("mul.wide.u32 %rd2, %r2, %r3; shr.u64 %rd2, %rd2, 32; cvt.u32.u64 %r1, %rd2;", 0xFFFFFFFFu, 2u, 1u)]
    [InlineData("cvt.s64.s32 %rd2, %r2; mov.b64 {%r3, %r1}, %rd2;", 0x80000000u, 0u, 0xFFFFFFFFu)]
    [InlineData("cvt.u64.u32 %rd2, %r2; mov.b64 {%r3, %r1}, %rd2;", 0x80000000u, 0u, 0u)]
    [InlineData("setp.lt.s32 %p0, %r2, %r3; selp.b32 %r1, 7, 9, %p0;", 0xFFFFFFFFu, 0u, 7u)]
    [InlineData("setp.lt.u32 %p0, %r2, %r3; selp.b32 %r1, 7, 9, %p0;", 0xFFFFFFFFu, 0u, 9u)]
    [InlineData("setp.eq.u32 %p1, %r3, 1; setp.eq.and.u32 %p0, %r2, 5, %p1; selp.b32 %r1, 7, 9, %p0;", 5u, 0u, 9u)]
    public void Integers(string instructions, uint a, uint b, uint expected) => Assert.Equal(expected, Kernels.One(instructions, a, b));

    [Theory]
    // 1 + 2^-24 is a tie, rounded to even; one more unit is not.
    [InlineData("add.rn.f32 %r1, %r2, %r3;", 0x3F800000u, 0x33800000u, 0x3F800000u)]
    [InlineData("add.f32 %r1, %r2, %r3;", 0x3F800000u, 0x33800001u, 0x3F800001u)]
    // (1 + 2^-12)² - 1 keeps 2^-24 if it is rounded once only.
    [InlineData("fma.rn.f32 %r1, %r2, %r2, %r3;", 0x3F800800u, 0xBF800000u, 0x3A000400u)]
    [InlineData("mul.f32 %r1, %r2, %r2; add.f32 %r1, %r1, %r3;", 0x3F800800u, 0xBF800000u, 0x3A000000u)]
    [InlineData("max.f32 %r1, %r2, %r3;", 0x7FC00000u, 0x3F800000u, 0x3F800000u)]
    [InlineData("setp.lt.f32 %p0, %r2, %r3; selp.b32 %r1, 7, 9, %p0;", 0x7FC00000u, 0x3F800000u, 9u)]
    [InlineData("setp.ltu.f32 %p0, %r2, %r3; selp.b32 %r1, 7, 9, %p0;", 0x7FC00000u, 0x3F800000u, 7u)]
    [InlineData("setp.ne.f32 %p0, %r2, %r3; selp.b32 %r1, 7, 9, %p0;", 0x7FC00000u, 0x3F800000u, 9u)]
    [InlineData("setp.neu.f32 %p0, %r2, %r3; selp.b32 %r1, 7, 9, %p0;", 0x7FC00000u, 0x3F800000u, 7u)]
    [InlineData("cvt.rzi.s32.f32 %r1, %r2;", 0xC0200000u, 0u, 0xFFFFFFFEu)]
    [InlineData("cvt.rni.s32.f32 %r1, %r2;", 0x40600000u, 0u, 4u)]
    [InlineData("cvt.rzi.s32.f32 %r1, %r2;", 0x7F800000u, 0u, 0x7FFFFFFFu)]
    [InlineData("cvt.rzi.s32.f32 %r1, %r2;", 0x7FC00000u, 0u, 0u)]
    [InlineData("cvt.rn.f32.s32 %r1, %r2;", 0x01000001u, 0u, 0x4B800000u)]
    [InlineData("cvt.rn.bf16x2.f32 %r1, %r2, %r3;", 0x3F808000u, 0x3F818000u, 0x3F803F82u)]
    [InlineData("cvt.rna.tf32.f32 %r1, %r2;", 0x3F801000u, 0u, 0x3F802000u)]
    [InlineData("cvt.rn.tf32.f32 %r1, %r2;", 0x3F801000u, 0u, 0x3F800000u)]
    [InlineData("mul.ftz.f32 %r1, %r2, %r3;", 0x00800000u, 0x3F000000u, 0u)]
    [InlineData("mul.f32 %r1, %r2, %r3;", 0x00800000u, 0x3F000000u, 0x00400000u)]
    public void Floats(string instructions, uint a, uint b, uint expected) => Assert.Equal(expected, Kernels.One(instructions, a, b));

    [Fact]
    public void LanesPartAndMeet()
    {
        // Each lane adds 0 + 1 + … + (lane - 1), then all vote; a lane that was left behind would be missing there.
        uint[] result = Kernels.Run($"""
            mov.u32 %r1, 0;
            mov.u32 %r2, 0;
            LOOP:
            setp.ge.u32 %p0, %r2, %r0;
            @%p0 bra DONE;
            add.u32 %r1, %r1, %r2;
            add.u32 %r2, %r2, 1;
            bra LOOP;
            DONE:
            setp.ne.u32 %p1, %r0, 5;
            vote.sync.ballot.b32 %r3, %p1, 0xffffffff;
            and.b32 %r4, %r0, 1;
            setp.eq.u32 %p2, %r4, 0;
            @%p2 bra EVEN;
            add.u32 %r1, %r1, 1000;
            bra.uni END;
            EVEN:
            add.u32 %r1, %r1, 2000;
            END:
            add.u32 %r1, %r1, %r3;
            {Kernels.StoreR1}
            """);
        for (uint lane = 0; lane < 32; lane++) Assert.Equal(unchecked(lane * (lane - 1) / 2 + (lane % 2 == 0 ? 2000u : 1000u) + ~(1u << 5)), result[lane]);
    }

    [Fact]
    public void SharedMemoryAndBarrierBetweenWarps()
    {
        uint[] result = Kernels.Run($"""
            shl.b32 %r2, %r0, 2;
            mov.u32 %r3, buffer;
            add.u32 %r4, %r3, %r2;
            st.shared.u32 [%r4], %r0;
            bar.sync 0;
            sub.u32 %r5, 252, %r2;
            add.u32 %r5, %r3, %r5;
            ld.shared.u32 %r1, [%r5];
            {Kernels.StoreR1}
            """, threads: 64, declarations: ".shared .align 4 .b8 buffer[256];");
        for (uint thread = 0; thread < 64; thread++) Assert.Equal(63 - thread, result[thread]);
    }

    [Fact]
    public void VectorsShufflesAndAtomics()
    {
        uint[] result = Kernels.Run("""
            shfl.sync.bfly.b32 %r1, %r0, 3, 31, 0xffffffff;
            shfl.sync.down.b32 %r2|%p0, %r0, 1, 31, 0xffffffff;
            selp.b32 %r3, 1, 0, %p0;
            mul.wide.u32 %rd1, %r0, 16;
            add.s64 %rd1, %rd0, %rd1;
            st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r0};
            add.s64 %rd2, %rd0, 512;
            red.global.add.u32 [%rd2], %r0;
            """, count: 129);
        for (uint lane = 0; lane < 32; lane++)
        {
            Assert.Equal([lane ^ 3, Math.Min(lane + 1, 31), lane < 31 ? 1u : 0u, lane], result[(int)(4 * lane)..(int)(4 * lane + 4)]);
        }
        Assert.Equal(496u, result[128]);
    }

    [Fact]
    public void CopiesLandOnlyWhenWaitedFor()
    {
        string Body(string wait) => $"""
            mov.u32 %r2, buffer;
            cp.async.ca.shared.global [%r2], [%rd0], 4, 0;
            cp.async.commit_group;
            {wait}
            ld.shared.u32 %r1, [%r2];
            {Kernels.StoreR1}
            """;
        string buffer = ".shared .align 16 .b8 buffer[16];";
        Assert.Equal(0u, Kernels.Run(Body("cp.async.wait_group 0;"), 1, declarations: buffer)[0]);
        Assert.NotEqual(0u, Kernels.Run(Body("cp.async.wait_group 1;"), 1, declarations: buffer)[0]);
    }
}

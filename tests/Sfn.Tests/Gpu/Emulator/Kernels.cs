using System.Runtime.InteropServices;
using global::Sfn.CudaEmulator;
using Sfn.Tests.Gpu.Ptx;

namespace Sfn.Tests.Gpu.Emulator;

/// <summary>Small kernels for the interpreter's own tests: one parameter, the address of 32-bit numbers.</summary>
internal static class Kernels
{
    /// <summary>A module around a body, which has registers %p, %r, %rd, %f and the address in %rd0; %r0 is the thread.</summary>
    public static string Text(string body, string declarations = "") => $$"""
        .version 8.0
        .target sm_90
        .address_size 64
        .visible .entry kernel(.param .u64 data)
        .maxntid 64, 1, 1
        {
            .reg .pred %p<8>;
            .reg .b32 %r<16>;
            .reg .b64 %rd<16>;
            .reg .f32 %f<16>;
            {{declarations}}
            ld.param.u64 %rd0, [data];
            mov.u32 %r0, %tid.x;
            {{body}}
            ret;
        }
        """;

    /// <summary>Stores %r1 of every thread at its place.</summary>
    public const string StoreR1 = """
        mul.wide.u32 %rd1, %r0, 4;
        add.s64 %rd1, %rd0, %rd1;
        st.global.u32 [%rd1], %r1;
        """;

    /// <summary>The numbers after a launch of one block; before it they are those of <paramref name="values"/>, then zeros.</summary>
    public static uint[] Run(string body, int threads = 32, int count = 64, string declarations = "", int shared = 0, uint[]? values = null)
    {
        using var memory = new HostMemory();
        ulong address = memory.Allocate(4 * count);
        memory.At(address, 4 * count, 4, "the test").Clear();
        values?.CopyTo(MemoryMarshal.Cast<byte, uint>(memory.At(address, 4 * count, 4, "the test")));
        Assert.Single(PtxModule.Load(Text(body, declarations)).Kernels.Values)
            .Launch(new(1, 1, 1, threads, 1, 1, shared), MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in address)), memory.Map());
        return MemoryMarshal.Cast<byte, uint>(memory.At(address, 4 * count, 4, "the test")).ToArray();
    }

    /// <summary>One value computed by one instruction from three words.</summary>
    public static uint One(string instruction, uint a, uint b = 0, uint c = 0) => Run($"""
        mov.b32 %r2, {a};
        mov.b32 %r3, {b};
        mov.b32 %r4, {c};
        {instruction}
        {StoreR1}
        """, threads: 1)[0];
}

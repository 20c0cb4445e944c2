using System.Numerics;

namespace Sfn.CudaEmulator.Execution;

/// <summary>Exchange between the lanes of a warp.</summary>
internal static unsafe class WarpOps
{
    /// <summary>shfl.sync D, A, B, C: Immediate says how (0 up, 1 down, 2 bfly, 3 idx); Lists[0] is the slot of the predicate result or -1.</summary>
    public static void Shuffle(Warp warp, Instr instruction, uint lanes)
    {
        int[] list = instruction.Lists[0];
        Members(warp, instruction, lanes, list[1]);
        Span<ulong> source = stackalloc ulong[32];
        new ReadOnlySpan<ulong>(warp.R + 32 * instruction.A, 32).CopyTo(source);
        for (uint rest = lanes; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            int by = (int)warp.R[32 * instruction.B + lane] & 31, clamp = (int)warp.R[32 * instruction.C + lane];
            int segment = (clamp >> 8) & 31, limit = clamp & 31;
            int last = (lane & segment) | (limit & ~segment), first = lane & segment;
            int from = instruction.Immediate switch
            {
                0 => lane - by,
                1 => lane + by,
                2 => lane ^ by,
                _ => first | (by & ~segment),
            };
            bool inside = instruction.Immediate == 0 ? from >= last : from <= last;
            if (!inside) from = lane;
            if (((lanes >> from) & 1) == 0) throw warp.Fault(PtxFaultKind.Undefined, instruction, $"lane {lane} reads lane {from}, which is not here");
            warp.R[32 * instruction.D + lane] = (uint)source[from];
            if (list[0] >= 0) warp.R[32 * list[0] + lane] = inside ? 1u : 0u;
        }
    }

    /// <summary>vote.sync D, A: Immediate says which (0 all, 1 any, 2 uni, 3 ballot).</summary>
    public static void Vote(Warp warp, Instr instruction, uint lanes)
    {
        Members(warp, instruction, lanes, instruction.B);
        uint ballot = warp.Predicate(instruction.A, false) & lanes;
        ulong result = instruction.Immediate switch
        {
            0 => ballot == lanes ? 1u : 0u,
            1 => ballot != 0 ? 1u : 0u,
            2 => ballot == lanes || ballot == 0 ? 1u : 0u,
            _ => ballot,
        };
        for (; lanes != 0; lanes &= lanes - 1) warp.R[32 * instruction.D + BitOperations.TrailingZeroCount(lanes)] = result;
    }

    /// <summary>All lanes that the mask in slot <paramref name="members"/> names must be here.</summary>
    private static void Members(Warp warp, Instr instruction, uint lanes, int members)
    {
        uint expected = (uint)warp.R[32 * members + BitOperations.TrailingZeroCount(lanes)];
        if ((expected & warp.Lanes) != lanes)
            throw warp.Fault(PtxFaultKind.Divergence, instruction, $"lanes {expected:X8} are meant, lanes {lanes:X8} are here");
    }

    public static void Synchronize(Warp warp, Instr instruction, uint lanes) => Members(warp, instruction, lanes, instruction.A);

    public static void ActiveMask(Warp warp, Instr instruction, uint lanes)
    {
        for (uint rest = lanes; rest != 0; rest &= rest - 1) warp.R[32 * instruction.D + BitOperations.TrailingZeroCount(rest)] = lanes;
    }
}

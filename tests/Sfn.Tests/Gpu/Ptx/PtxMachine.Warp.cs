namespace Sfn.Tests.Gpu.Ptx;

internal sealed partial class PtxMachine
{
    // shfl.sync.bfly to, from, distance, 31, all: every lane gets the value of the lane whose number differs in the distance's bits.
    private static void Shuffle(Instruction i, List<Thread> warp)
    {
        ulong[] values = [.. warp.Select(t => t.Value(i, 1))];
        for (int lane = 0; lane < 32; lane++) warp[lane].Set(i, values[lane ^ (int)i.Operands[2].Value]);
    }

    // vote.sync.ballot gives a bit per lane, vote.sync.any whether any is set.
    private static void Vote(Instruction i, List<Thread> warp)
    {
        uint bits = 0;
        for (int lane = 0; lane < 32; lane++) if (warp[lane].Value(i, 1) != 0) bits |= 1u << lane;
        foreach (var lane in warp) lane.Set(i, i.Has("any") ? bits != 0 ? 1u : 0u : bits);
    }

    // setp, on floats or integers, alone or combined with another predicate.
    private static ulong SetPredicate(Instruction i, ulong a, ulong b, ulong c)
    {
        bool holds = i.IsFloat ? CompareFloats(i.Parts[1], Float(a), Float(b))
            : Compare(i.Parts[1], i.IsWide ? a.CompareTo(b) : i.IsSigned ? ((int)a).CompareTo((int)b) : ((uint)a).CompareTo((uint)b));
        if (i.Has("and")) holds &= c != 0;
        if (i.Has("or")) holds |= c != 0;
        return holds ? 1u : 0u;
    }

    private static bool CompareFloats(string relation, float a, float b) => relation switch
    {
        "eq" => a == b,
        "neu" => a != b,
        _ => throw new NotSupportedException(relation),
    };
}

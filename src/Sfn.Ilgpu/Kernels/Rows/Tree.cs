using System.Runtime.CompilerServices;
using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// Combines one value of every thread of a row by way of shared memory, in a fixed order and without warp operations: a few threads combine the others'
/// values, then every thread combines those few. Two barriers, instead of one for each level of a binary tree.
/// </summary>
internal static class Tree
{
    /// <summary>Every thread of the group must call this; every thread of a row gets the row's result.</summary>
    /// <param name="monoid">What combines; its Map is not applied.</param>
    /// <param name="value">This thread's part.</param>
    /// <param name="all">Shared memory, a float for each thread of the group.</param>
    /// <param name="few">Shared memory, <see cref="IRowShape.Fan"/> floats for each row of the group.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 Combine<TMonoid, TShape>(TMonoid monoid, G1 value, ArrayView<float> all, ArrayView<float> few)
        where TMonoid : struct, IMonoid where TShape : struct, IRowShape
    {
        int thread = Group.IdxX, lane = thread & TShape.Lanes - 1, first = thread - lane, part = first / TShape.Lanes * TShape.Fan;
        all[thread] = value.V;
        Group.Barrier();
        if (lane < TShape.Fan)
        {
            G1 some = new(all[thread]);
            for (int i = 1; i < TShape.Lanes / TShape.Fan; i++) some = monoid.Combine(some, new G1(all[thread + i * TShape.Fan]));
            few[part + lane] = some.V;
        }
        // The next call may write `all` at once: it was read before this barrier. It writes `few` behind another one.
        Group.Barrier();
        G1 result = new(few[part]);
        for (int i = 1; i < TShape.Fan; i++) result = monoid.Combine(result, new G1(few[part + i]));
        return result;
    }
}

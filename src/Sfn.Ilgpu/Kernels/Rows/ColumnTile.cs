using System.Runtime.CompilerServices;
using global::ILGPU;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// How a group reduces columns: 32 threads side by side hold four columns each, eight such rows of threads walk every eighth row of the matrix, and their
/// sums are combined in shared memory.
/// </summary>
internal static class ColumnTile
{
    public const int Lanes = 32, RowLanes = 8, Threads = Lanes * RowLanes, Columns = Lanes * 4;

    /// <summary>
    /// The combined value of column <see cref="Column{TAccess}"/>, for the first <see cref="Columns"/> threads; all threads must call this.
    /// </summary>
    /// <param name="monoid">What combines.</param>
    /// <param name="v">The thread's own columns.</param>
    /// <param name="all">Shared memory, four floats a thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 Combine<TMonoid>(TMonoid monoid, in Four v, ArrayView<float> all) where TMonoid : struct, IMonoid
    {
        int t = Group.IdxX;
        Group.Barrier();
        all[t] = v.A.V;
        all[t + Threads] = v.B.V;
        all[t + 2 * Threads] = v.C.V;
        all[t + 3 * Threads] = v.D.V;
        Group.Barrier();
        int from = t / Lanes % 4 * Threads + t % Lanes;
        G1 sum = new(all[from]);
        for (int i = 1; i < RowLanes; i++) sum = monoid.Combine(sum, new G1(all[from + i * Lanes]));
        return sum;
    }

    /// <summary>Which column of the tile this thread's combined value is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Column<TAccess>() where TAccess : struct, IRowAccess => TAccess.Exact(Group.IdxX % Lanes, Lanes, Group.IdxX / Lanes);
}

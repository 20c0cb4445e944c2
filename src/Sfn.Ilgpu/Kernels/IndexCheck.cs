using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// Looks for an id that is neither in 0..size-1 nor the ignored one, in one group. The first one found since the report was read stays in it: the number of
/// the check and the id.
/// </summary>
internal readonly struct IndexCheck<S> : IKernel where S : unmanaged, IIndex<S>
{
    private const int Fan = 16;

    public static string Name => $"check_indices_{S.Name}";

    public static Delegate Body => (Action<int, int, int, int, int, ArrayView<S>, ArrayView<int>>)Run;

    private static void Run(int count, int size, int ignores, int ignored, int number, ArrayView<S> ids, ArrayView<int> report)
    {
        var firsts = SharedMemory.Allocate<int>(IKernel.Threads);
        int t = Group.IdxX, first = int.MaxValue;
        for (int i = t; i < count; i += IKernel.Threads)
        {
            int id = S.Id(ids[i]);
            if ((uint)id >= (uint)size && (ignores == 0 || id != ignored) && i < first) first = i;
        }
        firsts[t] = first;
        Group.Barrier();
        if (t < Fan) for (int i = t + Fan; i < IKernel.Threads; i += Fan) firsts[t] = firsts[i] < firsts[t] ? firsts[i] : firsts[t];
        Group.Barrier();
        if (t != 0) return;
        first = firsts[0];
        for (int i = 1; i < Fan; i++) first = firsts[i] < first ? firsts[i] : first;
        if (first == int.MaxValue || report[0] != 0) return;
        report[0] = number;
        report[1] = S.Id(ids[first]);
    }
}

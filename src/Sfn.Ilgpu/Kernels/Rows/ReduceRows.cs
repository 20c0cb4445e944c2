using System.Runtime.CompilerServices;
using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// Reduces dense rows, or <c>parts</c> pieces of <c>chunk</c> elements of each: the threads of a row walk it side by side and combine their results by a
/// <see cref="Tree"/>. Results of pieces are written one after the other.
/// </summary>
internal readonly struct ReduceRows<TMonoid, TShape, TAccess, S, Q, T> : IKernel
    where TMonoid : struct, IMonoid where TShape : struct, IRowShape where TAccess : struct, IRowAccess
    where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> where T : unmanaged, IElement<T>
{
    public static string Name => $"reduce_{TMonoid.Name}_rows_{S.Name}{TAccess.Name}_{T.Name}_{TShape.Lanes}lanes";

    public static bool IsLaunched => ReduceTypes.AreLaunched<TMonoid, S, T>() && typeof(TShape) != typeof(Lanes512);

    public static Delegate Body => (Action<TMonoid, Sizes, int, int, int, ArrayView<S>, Steps, ArrayView<T>, Steps>)Run;

    public static KernelSpecialization Bounds => new(TShape.Threads, null);

    private static void Run(TMonoid monoid, Sizes outer, int columns, int parts, int chunk, ArrayView<S> x, Steps xs, ArrayView<T> y, Steps ys)
    {
        var all = SharedMemory.Allocate<float>(TShape.Threads);
        var few = SharedMemory.Allocate<float>(TShape.Threads / TShape.Lanes * TShape.Fan);
        int lane = Group.IdxX & TShape.Lanes - 1, number = Grid.IdxX * (TShape.Threads / TShape.Lanes) + Group.IdxX / TShape.Lanes;
        int row = number / parts, start = (number - row * parts) * chunk;
        bool valid = row < outer.Count;
        if (!valid) row = 0;
        int length = columns - start < chunk ? columns - start : chunk;
        if (!valid) length = 0;
        var p = outer.At(row);
        long at = xs.At(p) + start;
        G1 sum = monoid.Identity<G1>();
        for (int slot = 0; slot * TShape.Lanes * 4 < length; slot++)
            sum = Slot.Combine<TMonoid, TAccess>(monoid, sum, TAccess.Load<S, Q>(x, at, lane, TShape.Lanes, slot, length), lane, TShape.Lanes, slot, length);
        sum = Tree.Combine<TMonoid, TShape>(monoid, sum, all, few);
        if (valid && lane == 0) y[parts == 1 ? ys.At(p) : number] = T.Store(sum);
    }
}

/// <summary>A monoid whose elements have been mapped before: for the second stage of a reduction.</summary>
internal readonly struct Combining<TMonoid>(TMonoid monoid) : IMonoid where TMonoid : struct, IMonoid
{
    private readonly TMonoid _monoid = monoid;

    public static string Name => TMonoid.Name;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Identity<L>() where L : struct, ILane<L> => _monoid.Identity<L>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Map<L>(L x) where L : struct, ILane<L> => x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Combine<L>(L a, L b) where L : struct, ILane<L> => _monoid.Combine(a, b);
}

/// <summary>Which element types reductions are launched with, for the catalogue of kernels.</summary>
internal static class ReduceTypes
{
    /// <summary>Results are of the elements' type, or float32 between two stages; second stages read float32.</summary>
    public static bool AreLaunched<TMonoid, S, T>() =>
        Floats<S>() && (typeof(T) == typeof(S) || typeof(T) == typeof(F32)) && (typeof(S) == typeof(F32) || !typeof(TMonoid).IsGenericType);

    public static bool Floats<S>() => typeof(S) == typeof(F32) || typeof(S) == typeof(Bf16);
}

using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// Softmax cross-entropy of rows of logits in two passes: the first finds maximum and sum together (every thread takes its sum to a new maximum when it
/// meets one; Milakov and Gimelshein 2018, arXiv 1805.02867), the second writes the gradient in place, from the end of the row, which the cache still holds.
/// </summary>
internal readonly struct CrossEntropyRows<TShape, TAccess, S, Q> : IKernel
    where TShape : struct, IRowShape where TAccess : struct, IRowAccess where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
{
    public static string Name => $"cross_entropy_{S.Name}{TAccess.Name}_{TShape.Lanes}lanes";

    public static bool IsLaunched => typeof(TShape) != typeof(Lanes8) && typeof(TShape) != typeof(Lanes64);

    public static Delegate Body => (Action<int, int, long, int, int, ArrayView<S>, ArrayView<I32>, ArrayView<F32>>)Run;

    public static KernelSpecialization Bounds => new(TShape.Threads, null);

    private static void Run(int rows, int classes, long step, int ignore, int gradient, ArrayView<S> logits, ArrayView<I32> targets, ArrayView<F32> losses)
    {
        var all = SharedMemory.Allocate<float>(TShape.Threads);
        var few = SharedMemory.Allocate<float>(TShape.Threads / TShape.Lanes * TShape.Fan);
        int lane = Group.IdxX & TShape.Lanes - 1, row = Grid.IdxX * (TShape.Threads / TShape.Lanes) + Group.IdxX / TShape.Lanes;
        int length = row < rows ? classes : 0;
        if (row >= rows) row = 0;
        int target = targets[row].V;
        long at = row * step;

        G1 max = new(float.NegativeInfinity), sum = new(0);
        int slots = (length + TShape.Lanes * 4 - 1) / (TShape.Lanes * 4);
        for (int slot = 0; slot < slots; slot++)
        {
            var v = TAccess.Load<S, Q>(logits, at, lane, TShape.Lanes, slot, length);
            G1 higher = Slot.Combine<MaxMonoid, TAccess>(default, max, v, lane, TShape.Lanes, slot, length);
            G1 shift = Shift(higher);
            // No maximum yet means nothing to rescale; a NaN goes into the sum by itself.
            if (!(higher.V <= max.V)) sum *= G1.Exp(max - shift);
            max = higher;
            sum = Slot.Combine<SumMonoid, TAccess>(default, sum, Exponentials(v, shift), lane, TShape.Lanes, slot, length);
        }
        G1 top = Tree.Combine<MaxMonoid, TShape>(default, max, all, few), rowShift = Shift(top);
        sum = Tree.Combine<SumMonoid, TShape>(default, sum * G1.Exp(max - rowShift), all, few);

        // A target that is no class has been reported, or will be: it must not be read.
        bool counts = target != ignore, exists = (uint)target < (uint)classes;
        if (lane == 0 && length > 0)
        {
            float loss = 0;
            // In this order the two large terms cancel before the small one is added.
            if (counts && exists) loss = top.V - S.Load(logits[at + target]).V + G1.Log(sum).V;
            losses[row] = new F32(loss);
        }
        // The logit of the target must have been read before it is overwritten.
        Group.Barrier();
        if (gradient == 0) return;
        if (!counts)
        {
            for (int slot = 0; slot < slots; slot++) TAccess.Store<S, Q>(logits, at, lane, TShape.Lanes, slot, length, default);
            return;
        }
        G1 factor = new(1 / sum.V);
        for (int slot = slots - 1; slot >= 0; slot--)
        {
            var p = Exponentials(TAccess.Load<S, Q>(logits, at, lane, TShape.Lanes, slot, length), rowShift);
            int hot = target - slot * 4 * TShape.Lanes;
            p = Four.Of(Slope(p.A, factor, hot == TAccess.Exact(lane, TShape.Lanes, 0)), Slope(p.B, factor, hot == TAccess.Exact(lane, TShape.Lanes, 1)),
                Slope(p.C, factor, hot == TAccess.Exact(lane, TShape.Lanes, 2)), Slope(p.D, factor, hot == TAccess.Exact(lane, TShape.Lanes, 3)));
            TAccess.Store<S, Q>(logits, at, lane, TShape.Lanes, slot, length, p);
        }
    }

    // With -inf as a shift, -inf - -inf would be NaN.
    private static G1 Shift(G1 max) => max.V == float.NegativeInfinity ? new(0) : max;

    private static Four Exponentials(in Four v, G1 shift) => Four.Of(G1.Exp(v.A - shift), G1.Exp(v.B - shift), G1.Exp(v.C - shift), G1.Exp(v.D - shift));

    private static G1 Slope(G1 exponential, G1 factor, bool hot) => exponential * factor - new G1(hot ? 1f : 0f);
}

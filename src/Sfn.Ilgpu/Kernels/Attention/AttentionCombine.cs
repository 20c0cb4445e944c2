using global::ILGPU;
using global::ILGPU.Runtime;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// Joins the parts of the keys, in their order: the result is Σ exp(lse_s − lse) o_s with lse = log Σ exp lse_s. One block per row of each
/// key/value head; parts is [batch · kvHeads, rows, parts, dim].
/// </summary>
internal readonly struct AttentionCombine<O> : IKernel where O : unmanaged, IFloatElement<O>
{
    public static string Name => $"attention_combine_{O.Name}";

    public static KernelSpecialization Bounds => new(AttentionBlock.Threads, null);

    public static Delegate Body => (Action<ArrayView<float>, ArrayView<float>, ArrayView<O>, ArrayView<float>, AttentionArgs>)Run;

    private static void Run(ArrayView<float> parts, ArrayView<float> partLse, ArrayView<O> o, ArrayView<float> lse, AttentionArgs args)
    {
        int pair = Grid.IdxX / args.RowCount, row = Grid.IdxX % args.RowCount, batch = pair / args.KvHeads, kvHead = pair % args.KvHeads;
        long first = (long)Grid.IdxX * args.Splits;
        float max = float.NegativeInfinity;
        for (int s = 0; s < args.Splits; s++)
        {
            float l = partLse[first + s];
            max = l > max ? l : max;
        }
        float shift = max == float.NegativeInfinity ? 0f : max, sum = 0;
        for (int s = 0; s < args.Splits; s++) sum += FloatMath.Exp(new G1(partLse[first + s] - shift)).V;
        float inverse = sum == 0f ? 0f : 1f / sum;
        long at = AttentionBlock.RowOffset(args, args.O, batch, kvHead, row);
        for (int d = Group.IdxX; d < args.Dim; d += AttentionBlock.Threads)
        {
            float y = 0;
            for (int s = 0; s < args.Splits; s++)
                y += FloatMath.Exp(new G1(partLse[first + s] - shift)).V * parts[(first + s) * args.Dim + d];
            o[at + d] = O.Store(new(y * inverse));
        }
        if (Group.IdxX == 0) lse[Grid.IdxX] = max + FloatMath.Log(new G1(sum)).V;
    }
}

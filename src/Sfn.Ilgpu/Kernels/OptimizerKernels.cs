using System.Runtime.CompilerServices;
using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// An AdamW step, four parameters per thread: g = scale·G; M ← Keep1·M + Add1·g; V ← Keep2·V + Add2·g²; P ← P·Decay − Step·M/(√V·Root2 + Epsilon). The
/// eight settings and the scale are read from device memory, so that a replayed step finds new ones.
/// </summary>
internal readonly struct AdamWStep<TAccess> : IKernel where TAccess : struct, IRowAccess
{
    public static string Name => $"adamw{TAccess.Name}";

    public static Delegate Body => (Action<int, int, int, ArrayView<F32>, ArrayView<F32>, ArrayView<F32>, ArrayView<F32>, ArrayView<Bf16>,
        ArrayView<float>, ArrayView<float>>)Run;

    private static void Run(int count, int lanes, int shadowed, ArrayView<F32> p, ArrayView<F32> g, ArrayView<F32> m, ArrayView<F32> v, ArrayView<Bf16> shadow,
        ArrayView<float> settings, ArrayView<float> scales)
    {
        int i = IKernel.Global;
        if (i >= lanes) return;
        G1 decay = new(settings[0]), keep1 = new(settings[1]), keep2 = new(settings[2]), add1 = new(settings[3]), add2 = new(settings[4]);
        G1 step = new(settings[5]), root2 = new(settings[6]), epsilon = new(settings[7]), scale = new(scales[0]);
        Four ps = TAccess.Load<F32, F32x4>(p, 0, i, lanes, 0, count), gs = TAccess.Load<F32, F32x4>(g, 0, i, lanes, 0, count);
        Four ms = TAccess.Load<F32, F32x4>(m, 0, i, lanes, 0, count), vs = TAccess.Load<F32, F32x4>(v, 0, i, lanes, 0, count);
        gs = Four.Of(gs.A * scale, gs.B * scale, gs.C * scale, gs.D * scale);
        ms = Four.Of(Mean(keep1, ms.A, add1 * gs.A), Mean(keep1, ms.B, add1 * gs.B), Mean(keep1, ms.C, add1 * gs.C), Mean(keep1, ms.D, add1 * gs.D));
        vs = Four.Of(Mean(keep2, vs.A, add2 * gs.A * gs.A), Mean(keep2, vs.B, add2 * gs.B * gs.B),
            Mean(keep2, vs.C, add2 * gs.C * gs.C), Mean(keep2, vs.D, add2 * gs.D * gs.D));
        ps = Four.Of(ps.A * decay - step * Direction(ms.A, vs.A, root2, epsilon), ps.B * decay - step * Direction(ms.B, vs.B, root2, epsilon),
            ps.C * decay - step * Direction(ms.C, vs.C, root2, epsilon), ps.D * decay - step * Direction(ms.D, vs.D, root2, epsilon));
        TAccess.Store<F32, F32x4>(m, 0, i, lanes, 0, count, ms);
        TAccess.Store<F32, F32x4>(v, 0, i, lanes, 0, count, vs);
        TAccess.Store<F32, F32x4>(p, 0, i, lanes, 0, count, ps);
        if (shadowed != 0) TAccess.Store<Bf16, Bf16x4>(shadow, 0, i, lanes, 0, count, ps);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static G1 Mean(G1 keep, G1 old, G1 added) => G1.Fma(keep, old, added);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static G1 Direction(G1 m, G1 v, G1 root2, G1 epsilon) => m / G1.Fma(G1.Sqrt(v), root2, epsilon);
}

/// <summary>A step of SGD, four parameters per thread: g = scale·G + Decay·P; M ← Momentum·M + g; P ← P − Step·M, settings from device memory.</summary>
internal readonly struct SgdStep<TAccess> : IKernel where TAccess : struct, IRowAccess
{
    public static string Name => $"sgd{TAccess.Name}";

    public static Delegate Body =>
        (Action<int, int, int, ArrayView<F32>, ArrayView<F32>, ArrayView<F32>, ArrayView<Bf16>, ArrayView<float>, ArrayView<float>>)Run;

    private static void Run(int count, int lanes, int shadowed, ArrayView<F32> p, ArrayView<F32> g, ArrayView<F32> m, ArrayView<Bf16> shadow,
        ArrayView<float> settings, ArrayView<float> scales)
    {
        int i = IKernel.Global;
        if (i >= lanes) return;
        G1 step = new(settings[0]), momentum = new(settings[1]), decay = new(settings[2]), scale = new(scales[0]);
        Four ps = TAccess.Load<F32, F32x4>(p, 0, i, lanes, 0, count), gs = TAccess.Load<F32, F32x4>(g, 0, i, lanes, 0, count);
        Four ms = TAccess.Load<F32, F32x4>(m, 0, i, lanes, 0, count);
        ms = Four.Of(G1.Fma(momentum, ms.A, G1.Fma(decay, ps.A, scale * gs.A)), G1.Fma(momentum, ms.B, G1.Fma(decay, ps.B, scale * gs.B)),
            G1.Fma(momentum, ms.C, G1.Fma(decay, ps.C, scale * gs.C)), G1.Fma(momentum, ms.D, G1.Fma(decay, ps.D, scale * gs.D)));
        ps = Four.Of(ps.A - step * ms.A, ps.B - step * ms.B, ps.C - step * ms.C, ps.D - step * ms.D);
        TAccess.Store<F32, F32x4>(m, 0, i, lanes, 0, count, ms);
        TAccess.Store<F32, F32x4>(p, 0, i, lanes, 0, count, ps);
        if (shadowed != 0) TAccess.Store<Bf16, Bf16x4>(shadow, 0, i, lanes, 0, count, ps);
    }
}

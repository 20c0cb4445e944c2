using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>One column of a row in a GPU thread.</summary>
internal readonly struct GpuRowAt(G1 a, G1 b, G1 c, G1 d, G1 y) : IRowAt<G1>
{
    private readonly G1 _a = a, _b = b, _c = c, _d = d, _y = y;

    public G1 A
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _a;
    }

    public G1 B
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _b;
    }

    public G1 C
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _c;
    }

    public G1 D
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _d;
    }

    public G1 Y
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _y;
    }
}

/// <summary>What a thread does with a slot of a row.</summary>
internal static class Slot
{
    /// <summary>The body at the slot's four columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Four Each<TBody>(TBody body, in Four a, in Four b, in Four c, in Four d, in Four y) where TBody : struct, IRowBody => Four.Of(
        body.At<G1, GpuRowAt>(new(a.A, b.A, c.A, d.A, y.A)), body.At<G1, GpuRowAt>(new(a.B, b.B, c.B, d.B, y.B)),
        body.At<G1, GpuRowAt>(new(a.C, b.C, c.C, d.C, y.C)), body.At<G1, GpuRowAt>(new(a.D, b.D, c.D, d.D, y.D)));

    /// <summary><paramref name="sum"/> combined with those of the values that are columns of the row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static G1 Combine<TMonoid, TAccess>(TMonoid monoid, G1 sum, in Four v, int lane, int lanes, int slot, int columns)
        where TMonoid : struct, IMonoid where TAccess : struct, IRowAccess
    {
        G1 none = monoid.Identity<G1>();
        G1 a = TAccess.Column(lane, lanes, slot, 0) < columns ? monoid.Map(v.A) : none;
        G1 b = TAccess.Column(lane, lanes, slot, 1) < columns ? monoid.Map(v.B) : none;
        G1 c = TAccess.Column(lane, lanes, slot, 2) < columns ? monoid.Map(v.C) : none;
        G1 d = TAccess.Column(lane, lanes, slot, 3) < columns ? monoid.Map(v.D) : none;
        return monoid.Combine(sum, monoid.Combine(monoid.Combine(a, b), monoid.Combine(c, d)));
    }
}

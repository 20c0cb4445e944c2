using System.Runtime.CompilerServices;
using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>One operand of a group's tile: the rows of a, or the columns of b, called lines here. Line r, step k lies at Line·r + Step·k.</summary>
internal struct Panel
{
    public long At, Line, Step;
    public int Lines, End, Vector;
}

/// <summary>
/// The direction in which an operand's quads run. It decides which quad of the panel a thread brings, so that neighbouring threads read
/// neighbouring memory, and how the quad is put into shared memory, where a step's lines always lie side by side.
/// </summary>
internal interface IDirection
{
    static abstract string Name { get; }

    /// <summary>First line of thread <paramref name="t"/>'s quad, of a panel of <paramref name="size"/> lines.</summary>
    static abstract int Line(int t, int size);

    /// <summary>First step of the quad, of 8.</summary>
    static abstract int Step(int t, int size);

    /// <summary>The quad whose first element is <paramref name="at"/>, at line r and step k of the panel. What lies past the end of k is 0.</summary>
    static abstract Q Load<S, Q>(ArrayView<S> x, in Panel panel, long at, int r, int k) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>;

    /// <summary>Puts the quad at line r, step k of a panel whose steps are <paramref name="pitch"/> apart.</summary>
    static abstract void Store<S, Q>(ArrayView<F32x4> shared, int r, int k, int pitch, Q q) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>;
}

/// <summary>Quads of four steps of one line.</summary>
internal readonly struct AlongSteps : IDirection
{
    public static string Name => "k";

    // Pairs of quads: two neighbouring threads read 32 bytes, a memory sector; 16 lines apart, they write to different banks.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Line(int t, int size) => t >> 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Step(int t, int size) => (t & 1) * 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Q Load<S, Q>(ArrayView<S> x, in Panel panel, long at, int r, int k) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        Q q = default;
        if (panel.Vector != 0)
        {
            if (k < panel.End) q = x.Cast<Q>()[at >> 2];
            return q;
        }
        G1 e0 = new(0), e1 = new(0), e2 = new(0), e3 = new(0);
        if (k < panel.End) e0 = S.Load(x[at]);
        if (k + 1 < panel.End) e1 = S.Load(x[at + panel.Step]);
        if (k + 2 < panel.End) e2 = S.Load(x[at + 2 * panel.Step]);
        if (k + 3 < panel.End) e3 = S.Load(x[at + 3 * panel.Step]);
        return Q.Of(e0, e1, e2, e3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, Q>(ArrayView<F32x4> shared, int r, int k, int pitch, Q q) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        var lines = shared.Cast<float>();
        lines[k * pitch + r] = Q.A(q).V;
        lines[(k + 1) * pitch + r] = Q.B(q).V;
        lines[(k + 2) * pitch + r] = Q.C(q).V;
        lines[(k + 3) * pitch + r] = Q.D(q).V;
    }
}

/// <summary>Quads of one step of four lines.</summary>
internal readonly struct AlongLines : IDirection
{
    public static string Name => "r";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Line(int t, int size) => t % (size / 4) * 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Step(int t, int size) => t / (size / 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Q Load<S, Q>(ArrayView<S> x, in Panel panel, long at, int r, int k) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        Q q = default;
        if (panel.Vector != 0)
        {
            if (k < panel.End) q = x.Cast<Q>()[at >> 2];
            return q;
        }
        G1 e0 = new(0), e1 = new(0), e2 = new(0), e3 = new(0);
        if (k < panel.End)
        {
            e0 = S.Load(x[at]);
            if (r + 1 < panel.Lines) e1 = S.Load(x[at + panel.Line]);
            if (r + 2 < panel.Lines) e2 = S.Load(x[at + 2 * panel.Line]);
            if (r + 3 < panel.Lines) e3 = S.Load(x[at + 3 * panel.Line]);
        }
        return Q.Of(e0, e1, e2, e3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, Q>(ArrayView<F32x4> shared, int r, int k, int pitch, Q q) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> =>
        shared[(k * pitch + r) >> 2] = F32x4.Of(Q.A(q), Q.B(q), Q.C(q), Q.D(q));
}

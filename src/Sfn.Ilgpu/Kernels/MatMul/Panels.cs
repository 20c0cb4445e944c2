using System.Runtime.CompilerServices;
using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>One operand: the rows of a, or the columns of b, called lines here. Line r, step k lies at Line·r + Step·k.</summary>
internal struct Panel
{
    public long Line, Step;
    public int Lines;
}

/// <summary>
/// How an operand is read: a thread brings four neighbours at a time, either four steps of one line or one step of four lines, so that neighbouring
/// threads read neighbouring memory. In shared memory a step's lines always lie side by side.
/// </summary>
/// <remarks>It is a type and not an argument, because a load must not end in a branch: what joins behind a branch waits for the load.</remarks>
internal interface IReader
{
    static abstract string Name { get; }

    /// <summary>First line of thread <paramref name="t"/>'s quad, of a tile of <paramref name="size"/> lines.</summary>
    static abstract int Line(int t, int size);

    /// <summary>First step of the quad, of 8.</summary>
    static abstract int Step(int t, int size);

    /// <summary>The last line of the panel at which a quad may begin; what lies past the panel is never stored.</summary>
    static abstract int Last(int lines);

    /// <summary>A place or distance in elements as this reader counts it.</summary>
    static abstract long Count(long elements);

    /// <summary>Where the quad at line r, step k of a tile lies in shared memory, as <see cref="Store"/> counts it.</summary>
    static abstract int Place(int r, int k, int pitch);

    /// <summary>The quad at <paramref name="at"/>, from line r on, of which <paramref name="left"/> steps are left; what lies past them is 0.</summary>
    static abstract Q Load<S, Q>(ArrayView<S> x, in Panel panel, long at, int r, int left) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>;

    /// <summary>Puts a quad into a tile whose steps are <paramref name="pitch"/> lines apart.</summary>
    static abstract void Store<S, Q>(ArrayView<F32x4> shared, long at, int pitch, Q q) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>;
}

/// <summary>Four steps of one line, one aligned piece of memory.</summary>
internal readonly struct StepQuads : IReader
{
    public static string Name => "kx4";

    // Pairs of quads: two neighbouring threads read 32 bytes, a sector of memory; 16 lines apart, they write to different banks.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Line(int t, int size) => t >> 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Step(int t, int size) => (t & 1) * 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Last(int lines) => lines - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Count(long elements) => elements >> 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place(int r, int k, int pitch) => k * pitch + r;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Q Load<S, Q>(ArrayView<S> x, in Panel panel, long at, int r, int left) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        Q q = default;
        ref Q from = ref x.Cast<Q>()[at];
        if (left > 0) q = from;
        return q;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, Q>(ArrayView<F32x4> shared, long at, int pitch, Q q) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        var lines = shared.Cast<float>();
        lines[at] = Q.A(q).V;
        lines[at + pitch] = Q.B(q).V;
        lines[at + 2 * pitch] = Q.C(q).V;
        lines[at + 3 * pitch] = Q.D(q).V;
    }
}

/// <summary>One step of four lines, one aligned piece of memory.</summary>
internal readonly struct LineQuads : IReader
{
    public static string Name => "rx4";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Line(int t, int size) => (t & size / 4 - 1) * 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Step(int t, int size) => t / (size / 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Last(int lines) => lines - 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Count(long elements) => elements >> 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place(int r, int k, int pitch) => k * (pitch / 4) + r / 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Q Load<S, Q>(ArrayView<S> x, in Panel panel, long at, int r, int left) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> =>
        StepQuads.Load<S, Q>(x, panel, at, r, left);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, Q>(ArrayView<F32x4> shared, long at, int pitch, Q q) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> =>
        shared[at] = F32x4.Of(Q.A(q), Q.B(q), Q.C(q), Q.D(q));
}

/// <summary>Four steps of one line, one by one.</summary>
internal readonly struct StepSingles : IReader
{
    public static string Name => "k";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Line(int t, int size) => StepQuads.Line(t, size);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Step(int t, int size) => StepQuads.Step(t, size);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Last(int lines) => lines - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Count(long elements) => elements;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place(int r, int k, int pitch) => StepQuads.Place(r, k, pitch);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Q Load<S, Q>(ArrayView<S> x, in Panel panel, long at, int r, int left) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        G1 e0 = new(0), e1 = new(0), e2 = new(0), e3 = new(0);
        if (left > 0) e0 = S.Load(x[at]);
        if (left > 1) e1 = S.Load(x[at + panel.Step]);
        if (left > 2) e2 = S.Load(x[at + 2 * panel.Step]);
        if (left > 3) e3 = S.Load(x[at + 3 * panel.Step]);
        return Q.Of(e0, e1, e2, e3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, Q>(ArrayView<F32x4> shared, long at, int pitch, Q q) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> =>
        StepQuads.Store<S, Q>(shared, at, pitch, q);
}

/// <summary>One step of four lines, one by one.</summary>
internal readonly struct LineSingles : IReader
{
    public static string Name => "r";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Line(int t, int size) => LineQuads.Line(t, size);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Step(int t, int size) => LineQuads.Step(t, size);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Last(int lines) => lines - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Count(long elements) => elements;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place(int r, int k, int pitch) => LineQuads.Place(r, k, pitch);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Q Load<S, Q>(ArrayView<S> x, in Panel panel, long at, int r, int left) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
    {
        G1 e0 = new(0), e1 = new(0), e2 = new(0), e3 = new(0);
        if (left > 0) e0 = S.Load(x[at]);
        if (left > 0 && r + 1 < panel.Lines) e1 = S.Load(x[at + panel.Line]);
        if (left > 0 && r + 2 < panel.Lines) e2 = S.Load(x[at + 2 * panel.Line]);
        if (left > 0 && r + 3 < panel.Lines) e3 = S.Load(x[at + 3 * panel.Line]);
        return Q.Of(e0, e1, e2, e3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, Q>(ArrayView<F32x4> shared, long at, int pitch, Q q) where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S> =>
        LineQuads.Store<S, Q>(shared, at, pitch, q);
}

using global::ILGPU;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>Which elements a dropout keeps, as a kernel reads it; see <see cref="DropoutSpec"/>.</summary>
internal struct DropoutBits
{
    public ulong Seed, Stream0, Stream1;
    public uint Threshold;
    public float Kept;
    public int Streams, FromMemory, Accumulate, Aligned, Count, Threads;
}

/// <summary>
/// Dropout without a mask in memory: the random words are those of <see cref="Philox"/>, element 4k + j has word j of counter k. A thread takes four counters,
/// so that a seed in device memory is worked out once for sixteen elements.
/// </summary>
internal readonly struct DropoutQuads<S, Q> : IKernel where S : unmanaged, IElement<S> where Q : unmanaged, IQuad<Q, S>
{
    private const int Counters = 4;

    public static string Name => $"dropout_{S.Name}";

    public static Delegate Body => (Action<DropoutBits, ArrayView<int>, ArrayView<S>, ArrayView<S>>)Run;

    /// <summary>Threads for that many elements.</summary>
    public static long ThreadsFor(long count) => (count + 4 * Counters - 1) / (4 * Counters);

    private static void Run(DropoutBits bits, ArrayView<int> memory, ArrayView<S> x, ArrayView<S> y)
    {
        int thread = IKernel.Global;
        if (thread >= bits.Threads) return;
        ulong seed = bits.Seed;
        if (bits.FromMemory != 0)
        {
            seed = (ulong)(uint)memory[1] << 32 | (uint)memory[0];
            if (bits.Streams > 0) seed = Philox.Seed(seed, bits.Stream0);
            if (bits.Streams > 1) seed = Philox.Seed(seed, bits.Stream1);
        }
        for (int k = 0; k < Counters; k++)
        {
            int counter = thread + k * bits.Threads, i = counter * 4;
            if (i >= bits.Count) return;
            var (a, b, c, d) = Philox.Words(seed, (ulong)(uint)counter);
            G1 fa = Factor(a, bits), fb = Factor(b, bits), fc = Factor(c, bits), fd = Factor(d, bits);
            if (bits.Aligned != 0 && i + 4 <= bits.Count)
            {
                Q q = x.Cast<Q>()[counter];
                G1 ya = Q.A(q) * fa, yb = Q.B(q) * fb, yc = Q.C(q) * fc, yd = Q.D(q) * fd;
                if (bits.Accumulate != 0)
                {
                    Q old = y.Cast<Q>()[counter];
                    ya = Q.A(old) + ya;
                    yb = Q.B(old) + yb;
                    yc = Q.C(old) + yc;
                    yd = Q.D(old) + yd;
                }
                y.Cast<Q>()[counter] = Q.Of(ya, yb, yc, yd);
            }
            else
            {
                One(bits, x, y, i, fa);
                One(bits, x, y, i + 1, fb);
                One(bits, x, y, i + 2, fc);
                One(bits, x, y, i + 3, fd);
            }
        }
    }

    private static G1 Factor(uint word, in DropoutBits bits) => new(word >= bits.Threshold ? bits.Kept : 0f);

    private static void One(in DropoutBits bits, ArrayView<S> x, ArrayView<S> y, int i, G1 factor)
    {
        if (i >= bits.Count) return;
        G1 value = S.Load(x[i]) * factor;
        if (bits.Accumulate != 0) value = S.Load(y[i]) + value;
        y[i] = S.Store(value);
    }
}

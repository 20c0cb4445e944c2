using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Dropout: draws the random words of Philox4x32-10 where they are used, eight counters (32 elements) at a time with AVX2, so that a mask is never
/// stored.
/// </summary>
internal static unsafe class DropoutWalker
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57, Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    /// <summary>y[i] := x[i]·factor(i), or y += …: factor is <paramref name="kept"/> where word i of the seed is at or above the threshold, else 0.</summary>
    public static void Run(float* x, float* y, long n, ulong seed, uint threshold, float kept, bool accumulate)
        => Chunked.Run(new Kernel { X = x, Y = y, Seed = seed, Threshold = threshold, Kept = kept, Accumulate = accumulate }, n, Chunked.Elements);

    /// <summary>The same for bfloat16.</summary>
    public static void Run(BFloat16* x, BFloat16* y, long n, ulong seed, uint threshold, float kept, bool accumulate)
        => Chunked.Run(new HalfKernel { X = x, Y = y, Seed = seed, Threshold = threshold, Kept = kept, Accumulate = accumulate }, n, Chunked.Elements);

    // Chunks begin at multiples of 32, so that a range starts with the first word of a counter.
    private struct Kernel : IRangeKernel
    {
        public float* X, Y;
        public ulong Seed;
        public uint Threshold;
        public float Kept;
        public bool Accumulate;

        public readonly void Range(long begin, long count)
        {
            long i = begin, end = begin + count;
            if (Avx2.IsSupported) i = Vectors(X, Y, i, end, Seed, Threshold, Kept, Accumulate);
            Scalars(X, Y, i, end, Seed, Threshold, Kept, Accumulate);
        }
    }

    private struct HalfKernel : IRangeKernel
    {
        public BFloat16* X, Y;
        public ulong Seed;
        public uint Threshold;
        public float Kept;
        public bool Accumulate;

        public readonly void Range(long begin, long count)
        {
            for (long i = begin; i < begin + count; i++)
            {
                float value = (float)X[i] * (Philox.At(Seed, (ulong)i) >= Threshold ? Kept : 0);
                Y[i] = (BFloat16)(Accumulate ? (float)Y[i] + value : value);
            }
        }
    }

    internal static void Scalars(float* x, float* y, long i, long end, ulong seed, uint threshold, float kept, bool accumulate)
    {
        uint* words = stackalloc uint[4];
        for (; i < end; i += 4)
        {
            (words[0], words[1], words[2], words[3]) = Philox.Words(seed, (ulong)i >> 2);
            for (int k = 0; k < 4 && i + k < end; k++)
            {
                float value = x[i + k] * (words[k] >= threshold ? kept : 0);
                y[i + k] = accumulate ? y[i + k] + value : value;
            }
        }
    }

    /// <summary>Whole groups of 32 elements; returns the first one not done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static long Vectors(float* x, float* y, long i, long end, ulong seed, uint threshold, float kept, bool accumulate)
    {
        var limit = Vector256.Create(threshold);
        var factor = Vector256.Create(kept);
        for (; i <= end - 32; i += 32)
        {
            ulong counter = (ulong)i >> 2;
            // The lower half does not carry inside a group: it begins at a multiple of 8.
            var c0 = Vector256.Create((uint)counter) + Vector256<uint>.Indices;
            var c1 = Vector256.Create((uint)(counter >> 32));
            Vector256<uint> c2 = default, c3 = default;
            uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
            for (int round = 0; round < 10; round++)
            {
                Multiply(c0, Multiplier0, out var high0, out var low0);
                Multiply(c2, Multiplier1, out var high1, out var low1);
                c0 = high1 ^ c1 ^ Vector256.Create(k0);
                c2 = high0 ^ c3 ^ Vector256.Create(k1);
                (c1, c3) = (low1, low0);
                k0 += Weyl0;
                k1 += Weyl1;
            }
            // From four words of eight counters to the order of the elements: words of one counter are neighbours.
            var ab0 = Avx2.UnpackLow(c0, c1).AsUInt64();
            var ab1 = Avx2.UnpackHigh(c0, c1).AsUInt64();
            var cd0 = Avx2.UnpackLow(c2, c3).AsUInt64();
            var cd1 = Avx2.UnpackHigh(c2, c3).AsUInt64();
            Vector256<ulong> q0 = Avx2.UnpackLow(ab0, cd0), q1 = Avx2.UnpackHigh(ab0, cd0), q2 = Avx2.UnpackLow(ab1, cd1), q3 = Avx2.UnpackHigh(ab1, cd1);
            Store(Avx2.Permute2x128(q0, q1, 0x20), x + i, y + i, limit, factor, accumulate);
            Store(Avx2.Permute2x128(q2, q3, 0x20), x + i + 8, y + i + 8, limit, factor, accumulate);
            Store(Avx2.Permute2x128(q0, q1, 0x31), x + i + 16, y + i + 16, limit, factor, accumulate);
            Store(Avx2.Permute2x128(q2, q3, 0x31), x + i + 24, y + i + 24, limit, factor, accumulate);
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<ulong> words, float* x, float* y, Vector256<uint> limit, Vector256<float> factor, bool accumulate)
    {
        var keep = Vector256.GreaterThanOrEqual(words.AsUInt32(), limit).AsSingle();
        var value = Vector256.Load(x) * (factor & keep);
        if (accumulate) value = Vector256.Load(y) + value;
        value.Store(y);
    }

    // The hardware multiplies every second 32-bit lane to 64 bits: once for the even lanes, once for the odd ones.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(Vector256<uint> x, uint multiplier, out Vector256<uint> high, out Vector256<uint> low)
    {
        var by = Vector256.Create(multiplier);
        var even = Avx2.Multiply(x, by);
        var odd = Avx2.Multiply((x.AsUInt64() >> 32).AsUInt32(), by);
        low = Avx2.Blend(even.AsUInt32(), (odd << 32).AsUInt32(), 0b10101010);
        high = Avx2.Blend((even >> 32).AsUInt32(), odd.AsUInt32(), 0b10101010);
    }
}

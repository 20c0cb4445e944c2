using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sfn.Kernels;

namespace Sfn.Backends.Cpu;

/// <summary>Help for the last, incomplete lane of a range.</summary>
internal static unsafe class Tail
{
    /// <summary>Elements of the widest lane, four 512-bit vectors.</summary>
    public const int MaxWidth = 64;

    private static ReadOnlySpan<float> Counting =>
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
        32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63];

    /// <summary>The first <paramref name="count"/> elements of <paramref name="value"/>, the neutral element in the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Keep<L, TMonoid>(TMonoid monoid, L value, int count) where L : struct, IVectorLane<L> where TMonoid : struct, IMonoid
    {
        L index = L.Load((float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(Counting)));
        return L.IfGreater(L.Of((float)count), index, value, monoid.Identity<L>());
    }

    /// <summary>Copies <paramref name="count"/> floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(float* from, float* to, int count) => Unsafe.CopyBlockUnaligned(to, from, (uint)count * sizeof(float));
}

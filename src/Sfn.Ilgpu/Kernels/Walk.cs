using System.Runtime.CompilerServices;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>The common shape of a kernel's operands, innermost dimension first, neighbours merged where all operands step evenly.</summary>
internal struct Sizes
{
    public int Count, Rank;
    public uint N0, N1, N2, N3, N4;

    /// <summary>Where element number <paramref name="i"/> of the row-major order lies.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Position At(int i)
    {
        // The rank is the same for all threads, so that these branches cost nothing, and divisions are the dear part.
        Position p = default;
        uint rest = (uint)i;
        if (Rank > 1)
        {
            uint q = rest / N0;
            p.P0 = rest - q * N0;
            rest = q;
        }
        else
        {
            p.P0 = rest;
            return p;
        }
        if (Rank == 2)
        {
            p.P1 = rest;
            return p;
        }
        uint q1 = rest / N1;
        p.P1 = rest - q1 * N1;
        if (Rank == 3)
        {
            p.P2 = q1;
            return p;
        }
        uint q2 = q1 / N2;
        p.P2 = q1 - q2 * N2;
        if (Rank == 4)
        {
            p.P3 = q2;
            return p;
        }
        uint q3 = q2 / N3;
        p.P3 = q2 - q3 * N3;
        p.P4 = Rank == 5 ? q3 : q3 - q3 / N4 * N4;
        p.P5 = Rank == 5 ? 0 : q3 / N4;
        return p;
    }
}

/// <summary>Indices along each dimension, innermost first.</summary>
internal struct Position
{
    public uint P0, P1, P2, P3, P4, P5;
}

/// <summary>One operand's element strides, innermost first.</summary>
internal struct Steps
{
    public long S0, S1, S2, S3, S4, S5;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly long At(in Position p) => p.P0 * S0 + p.P1 * S1 + p.P2 * S2 + p.P3 * S3 + p.P4 * S4 + p.P5 * S5;

    /// <summary>Whether all strides from dimension <paramref name="from"/> (0 or 1) on are multiples of four.</summary>
    public readonly bool FitQuads(int from) => ((from == 0 ? S0 : 0) | S1 | S2 | S3 | S4 | S5) % 4 == 0;
}

using System.Runtime.CompilerServices;
using Sfn.Kernels;

namespace Sfn.Ops.Rows;

/// <summary>a: the input itself.</summary>
internal readonly struct InputA : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => at.A;
}

/// <summary>b.</summary>
internal readonly struct InputB : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => at.B;
}

/// <summary>a·b.</summary>
internal readonly struct ProductAB : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => at.A * at.B;
}

/// <summary>e^(a − shift).</summary>
internal readonly struct ExpMinus(float shift) : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => L.Exp(at.A - shift);
}

/// <summary>y·factor.</summary>
internal readonly struct ScaleOutput(float factor) : IRowBody
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L> => at.Y * factor;
}

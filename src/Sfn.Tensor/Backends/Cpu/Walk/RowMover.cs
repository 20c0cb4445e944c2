using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Moves rows between memory and the cache beside a computation: each step writes one line of the finished row with a streamed store and
/// fetches the same line of the row to come.
/// </summary>
internal unsafe struct RowMover
{
    private byte* _from, _end;
    private long _to, _fetch0, _fetch1;
    private float* _work, _row, _result;
    private int _length, _turn;

    /// <summary>
    /// Whether the rows have a pass of arithmetic (one that stores and reduces): then lines move beside it alone, since a short pass would
    /// only wait for them.
    /// </summary>
    public bool Uneven;

    /// <summary>
    /// Where to compute the row whose result is <paramref name="result"/>. The row before starts to move out;
    /// <paramref name="next"/> and <paramref name="other"/> are inputs of the row after it, or null.
    /// </summary>
    public float* Begin(float* result, int length, bool first, float* next, float* other)
    {
        long stride = (length + 2 * Streaming.Line + 15) & ~15L;
        if (first) _work = CpuScratch.Rent(ScratchUse.Rows, 2 * stride);
        else
        {
            Rest();
            // Lines that the row shares with its neighbours.
            int head = (int)Streaming.Head(_result, _length), whole = (_length - head) & -Streaming.Line;
            Tail.Copy(_row, _result, head);
            Tail.Copy(_row + head + whole, _result + head + whole, _length - head - whole);
            _from = (byte*)(_row + head);
            _end = (byte*)(_row + head + whole);
            _to = (byte*)_result - (byte*)_row;
            bool ahead = next != null && length <= Streaming.LongestAhead;
            _fetch0 = ahead ? (byte*)next - _from : 0;
            _fetch1 = ahead && other != null ? (byte*)other - _from : _fetch0;
        }
        // The work row lies to its lines as the result does.
        _result = result;
        _length = length;
        _turn ^= 1;
        return _row = _work + _turn * stride + (((nint)result >> 2) & (Streaming.Line - 1));
    }

    /// <summary>Moves a line, if there is one left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Move()
    {
        if (_from >= _end) return;
        Line(_from);
        _from += 64;
    }

    /// <summary>Moves out what is left and the last row.</summary>
    public void Finish()
    {
        Begin(null, _length, first: false, null, null);
        Rest();
        Streaming.Fence();
    }

    private void Rest()
    {
        for (; _from < _end; _from += 64) Line(_from);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Line(byte* from)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(from + _fetch0);
            if (_fetch1 != _fetch0) Sse.Prefetch1(from + _fetch1);
        }
        float* x = (float*)from, y = (float*)(from + _to);
        if (Vector512.IsHardwareAccelerated) Vector512.LoadAligned(x).StoreAlignedNonTemporal(y);
        else
        {
            for (int i = 0; i < Streaming.Line; i += 4) Vector128.LoadAligned(x + i).StoreAlignedNonTemporal(y + i);
        }
    }
}

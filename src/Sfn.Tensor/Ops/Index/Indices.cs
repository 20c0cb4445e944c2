using System.Buffers;
using System.Runtime.InteropServices;
using Sfn.Backends;

namespace Sfn.Ops;

/// <summary>Index vectors, checked once per op: at once where the host can read them, else by the device.</summary>
internal static class Indices
{
    public static View Flat(Tensor ids)
    {
        var dense = ids.Dense();
        dense.View.TryReshape([(int)ids.Count], out var flat);
        return flat;
    }

    public static View Checked(Tensor ids, int size, string op)
    {
        var flat = Flat(ids);
        Check(ids.Over(flat), size, null, op);
        return flat;
    }

    /// <summary>Every element of a dense vector of ids must be in 0..size-1, or be <paramref name="ignore"/> if that is given.</summary>
    public static void Check(Tensor ids, int size, int? ignore, string op)
    {
        if (ids.Count == 0) return;
        if (ids.Backend is IDeviceChecks checks)
        {
            checks.CheckIndices(ids.View, size, ignore, op);
            return;
        }
        int count = checked((int)ids.Count);
        int[] values = ArrayPool<int>.Shared.Rent(count);
        try
        {
            var plain = ids.To(DType.I32);
            plain.Backend.Download(plain.View, MemoryMarshal.AsBytes(values.AsSpan(0, count)));
            GC.KeepAlive(plain);
            foreach (int id in values.AsSpan(0, count))
                if ((uint)id >= (uint)size && id != ignore) throw ShapeMismatch.OfIndex(op, id, size, ignore);
        }
        finally
        {
            ArrayPool<int>.Shared.Return(values);
        }
    }

    /// <summary>A dense tensor whose first <paramref name="rank"/> dimensions are folded into one.</summary>
    public static View Rows(Tensor y, int rank)
    {
        Span<int> dims = stackalloc int[y.Rank - rank + 1];
        long rows = 1;
        for (int i = 0; i < rank; i++) rows *= y.Shape[i];
        dims[0] = (int)rows;
        for (int i = rank; i < y.Rank; i++) dims[i - rank + 1] = y.Shape[i];
        y.View.TryReshape(Shape.Create(dims), out var view);
        return view;
    }
}

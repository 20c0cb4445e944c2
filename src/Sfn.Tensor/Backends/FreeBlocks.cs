namespace Sfn.Backends;

/// <summary>Free blocks by size, for best fit: never one that is more than twice as large as asked for, or 2 MiB larger.</summary>
internal sealed class FreeBlocks
{
    private const long Slack = 2 << 20;
    private readonly List<Bin> _bins = new(64);               // ascending

    public void Put(Storage storage)
    {
        int i = LowerBound(storage.Bytes);
        if (i == _bins.Count || _bins[i].Bytes != storage.Bytes) _bins.Insert(i, new Bin(storage.Bytes));
        _bins[i].Free.Push(storage);
    }

    /// <summary>The smallest block that is large enough but not too large, or null.</summary>
    public Storage? Take(long size)
    {
        long limit = Math.Min(2 * size, size + Slack);
        for (int i = LowerBound(size); i < _bins.Count && _bins[i].Bytes <= limit; i++)
            if (_bins[i].Free.TryPop(out var storage)) return storage;
        return null;
    }

    /// <summary>The largest block, or null if there is none. Bins that it finds empty are dropped.</summary>
    public Storage? TakeLargest()
    {
        for (; _bins.Count > 0; _bins.RemoveAt(_bins.Count - 1))
            if (_bins[^1].Free.TryPop(out var storage)) return storage;
        return null;
    }

    private int LowerBound(long size)
    {
        int low = 0, high = _bins.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_bins[middle].Bytes < size) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private sealed class Bin(long bytes)
    {
        public long Bytes { get; } = bytes;

        public Stack<Storage> Free { get; } = new();
    }
}

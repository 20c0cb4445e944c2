using CsCheck;
using Sfn.Backends;
using Sfn.Backends.Reference;

namespace Sfn.Tests;

/// <summary>The caching allocator against plain counters: nothing is handed out twice, nothing is lost, little is wasted.</summary>
public class AllocatorTests
{
    private static readonly Gen<(int Kind, int Size)[]> s_calls = Gen.Select(
        Gen.Int[0, 9], Gen.Frequency((5, Gen.Int[0, 3000]), (2, Gen.Int[0, 200_000]), (1, Gen.Int[0, 6_000_000]))).Array[1, 80];

    [Fact]
    public void Follows_the_model() => s_calls.Sample(calls =>
    {
        var backend = new Counting(long.MaxValue);
        var allocator = new CachingAllocator(backend);
        var rented = new List<Storage>();
        long live = 0, peak = 0, cached = 0, reserved = 0;
        foreach (var (kind, size) in calls)
        {
            if (kind < 5)
            {
                long asked = backend.Asked;
                var block = allocator.Rent(size);
                block.Retain();
                bool reused = backend.Asked == asked;
                Assert.True(block.Bytes >= size && block.Bytes % 512 == 0 && block.Pointer % 64 == 0);
                long most = Math.Max(512, Math.Min(2L * Math.Max(512, size + 511), size + 511 + (2 << 20)));
                Assert.True(block.Bytes <= most, $"{block.Bytes} bytes for a request of {size}");
                Assert.DoesNotContain(rented, other => block.Pointer < other.Pointer + other.Bytes && other.Pointer < block.Pointer + block.Bytes);
                rented.Add(block);
                live += block.Bytes;
                if (reused) cached -= block.Bytes;
            }
            else if (kind < 9 && rented.Count > 0)
            {
                var block = rented[size % rented.Count];
                rented.Remove(block);
                int generation = block.Generation;
                block.Release("the test");
                Assert.Equal(generation + 1, block.Generation);
                live -= block.Bytes;
                cached += block.Bytes;
            }
            else if (kind == 9)
            {
                allocator.Trim();
                cached = 0;
            }
            peak = Math.Max(peak, live);
            reserved = Math.Max(reserved, live + cached);
            Assert.Equal((live, cached, peak, reserved), (allocator.LiveBytes, allocator.CachedBytes, allocator.PeakBytes, allocator.PeakReservedBytes));
            Assert.Equal(live + cached, backend.Held);
            Assert.Equal(backend.Asked, allocator.Allocations);
        }
        foreach (var block in rented) block.Release("the test");
        allocator.Trim();
        Assert.Equal(0, backend.Held);
    }, iter: 300);

    [Fact]
    public void The_second_round_of_equal_requests_asks_for_nothing()
    {
        var backend = new Counting(long.MaxValue);
        var allocator = new CachingAllocator(backend);
        int[] sizes = [100, 5000, 100, 70_000, 512, 5000, 3_000_000];
        for (int round = 0; round < 3; round++)
        {
            var blocks = sizes.Select(s => allocator.Rent(s)).ToList();
            blocks.ForEach(b => b.Retain());
            blocks.ForEach(b => b.Release("the test"));
            Assert.Equal(sizes.Length, allocator.Allocations);
        }
        allocator.Trim();
    }

    [Fact]
    public void The_cache_keeps_to_its_limit()
    {
        var backend = new Counting(long.MaxValue);
        var allocator = new CachingAllocator(backend) { CacheLimit = 4096 };
        var blocks = Enumerable.Range(1, 8).Select(i => allocator.Rent(1024 * i)).ToList();
        blocks.ForEach(b => b.Retain());
        blocks.ForEach(b => b.Release("the test"));
        Assert.True(allocator.CachedBytes <= 4096);
        Assert.Equal(allocator.CachedBytes, backend.Held);
        allocator.Trim();
    }

    [Fact]
    public void Full_memory_empties_the_cache_before_it_is_an_error()
    {
        var backend = new Counting(1 << 20);
        var allocator = new CachingAllocator(backend);
        var first = allocator.Rent(700_000);
        first.Retain();
        first.Release("the test");
        var second = allocator.Rent(300_000 + 700_000);
        second.Retain();
        string message = Assert.Throws<OutOfDeviceMemory>(() => allocator.Rent(500_000)).Message;
        Assert.Contains("has no 500.2 kB left: 1 MB are in use", message, StringComparison.Ordinal);
        Assert.Contains("A smaller batch or context needs less", message, StringComparison.Ordinal);
        second.Release("the test");
        allocator.Trim();
    }

    [Fact]
    public void A_private_pool_keeps_its_blocks_until_it_is_disposed()
    {
        var backend = new Counting(long.MaxValue);
        var allocator = new CachingAllocator(backend);
        Release(Rent(8192));
        Assert.Equal((0, 8192), (allocator.LiveBytes, allocator.CachedBytes));

        var pool = allocator.BeginPrivate();
        // The common cache is not touched; what is freed inside is used again inside.
        var first = Rent(8192);
        Assert.Equal((2, 8192, 8192), (backend.Asked, allocator.LiveBytes, allocator.CachedBytes));
        nint address = first.Pointer;
        Release(first);
        Assert.Equal(8192, allocator.LiveBytes);
        first = Rent(8192);
        Assert.Equal(address, first.Pointer);
        var result = Rent(4096);
        Assert.Contains("do not nest", Assert.Throws<InvalidOperationException>(() => allocator.BeginPrivate()).Message, StringComparison.Ordinal);
        // Other threads go on with the common cache.
        Storage? foreign = null;
        var thread = new Thread(() => foreign = Rent(8192));
        thread.Start();
        thread.Join();
        Assert.Equal(3, backend.Asked);
        Release(foreign!);
        Release(first);
        allocator.EndPrivate();
        Assert.Throws<InvalidOperationException>(allocator.EndPrivate);
        Assert.Equal((8192 + 4096, 8192 + 4096), (pool.Bytes, allocator.LiveBytes));

        // Outside nobody gets the pool's free block, and emptying the cache leaves it alone.
        var outside = Rent(8192);
        Assert.NotEqual(address, outside.Pointer);
        var more = Rent(8192);
        Assert.NotEqual(address, more.Pointer);
        Release(outside);
        Release(more);
        allocator.Trim();
        Assert.Equal(pool.Bytes, backend.Held);
        // Going on with the pool finds it.
        allocator.BeginPrivate(pool);
        first = Rent(8192);
        Assert.Equal(address, first.Pointer);
        Release(first);
        allocator.EndPrivate();

        pool.Dispose();
        pool.Dispose();
        Assert.Equal((4096, 8192), (allocator.LiveBytes, allocator.CachedBytes));
        Release(result);
        Assert.Equal((0, 8192 + 4096), (allocator.LiveBytes, allocator.CachedBytes));
        Assert.Throws<InvalidOperationException>(() => allocator.BeginPrivate(pool));
        Assert.Equal(address, Rent(8192).Pointer);
        Assert.True(allocator.PeakReservedBytes >= allocator.PeakBytes);

        Storage Rent(int size)
        {
            var block = allocator.Rent(size);
            block.Retain();
            return block;
        }

        static void Release(Storage block) => block.Release("the test");
    }

    [Fact]
    public void Tensors_outside_of_scopes_are_found_by_the_garbage_collector()
    {
        Memory.Trim();
        int leaks = Memory.Leaks;
        long before = Memory.Live();
        Make();
        Assert.True(Memory.Live() >= before + 4_000_000);
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Memory.Trim();
        Assert.True(Memory.Live() <= before, $"{Memory.Live() - before} bytes are still in use");
        Assert.Equal(leaks, Memory.Leaks);

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void Make() => Assert.Equal(0, Tensor.Zeros([1_000_000])[5].Item());
    }

    [Fact]
    public void Memory_is_reported_by_op_and_module()
    {
        Memory.Tracking = true;
        try
        {
            using var scope = Scope.Open();
            ModulePath.Current = "blocks.0";
            var x = Tensor.Ones([1000]).Exp();
            Assert.Contains(Memory.Report(), use => use is { Module: "blocks.0", Op: "exp", Blocks: 1 } && use.Bytes >= x.Bytes);
        }
        finally
        {
            ModulePath.Current = "";
            Memory.Tracking = false;
        }
        Assert.Equal("1.5 MB", Memory.Format(1_500_000));
    }

    /// <summary>Host memory with a limit, which counts what it gave.</summary>
    private sealed class Counting(long limit) : ReferenceBackend(Device.Reference), IBackend
    {
        public long Held { get; private set; }

        public long Asked { get; private set; }

        nint IBackend.Allocate(long bytes)
        {
            if (Held + bytes > limit)
            {
                return 0;
            }
            Asked++;
            Held += bytes;
            return Allocate(bytes);
        }

        void IBackend.Free(nint pointer, long bytes)
        {
            Held -= bytes;
            Free(pointer, bytes);
        }
    }

    [Fact]
    public void Memory_from_before_tracking_is_not_subtracted_from_the_report()
    {
        string module = ModulePath.Current;
        try
        {
            ModulePath.Current = "books";
            var outer = Scope.Open();
            Tensor late;
            using (Scope.Open())
            {
                _ = Tensor.Zeros([1000]);
                Memory.Tracking = true;
            }
            late = Tensor.Zeros([1000]);
            Assert.Equal(1, Assert.Single(Memory.Report(), use => use.Module == "books").Blocks);
            outer.Dispose();
            Assert.False(late.IsAlive);
        }
        finally
        {
            Memory.Tracking = false;
            ModulePath.Current = module;
        }
    }
}

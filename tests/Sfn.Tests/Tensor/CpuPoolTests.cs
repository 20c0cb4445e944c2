using System.Reflection;
using System.Runtime.Loader;
using Sfn.Backends.Cpu;

namespace Sfn.Tests;

/// <summary>The fork-join pool: every chunk once, nobody waits for a worker that has begun nothing.</summary>
[Collection("CpuPool.Threads")]
public class CpuPoolTests : IDisposable
{
    private readonly int _threads = CpuPool.Threads;

    public void Dispose()
    {
        CpuPool.Threads = _threads;
        GC.SuppressFinalize(this);
    }

    // Four times as many workers as processors: at any time most of them are put aside in the middle of something.
    [Fact]
    public void Every_chunk_runs_once_with_more_workers_than_processors()
    {
        CpuPool.Threads = 4 * Environment.ProcessorCount;
        for (int round = 0; round < 3000; round++)
        {
            var job = new Count(1 + round % 70);
            CpuPool.Run(job, job.Runs.Length);
            Assert.All(job.Runs, n => Assert.Equal(1, n));
        }
    }

    // Workers that sleep, wake late or belong to an older job must not take, repeat or lose a chunk.
    [Fact]
    public void Every_chunk_runs_once_after_pauses()
    {
        CpuPool.Threads = 3;
        for (int round = 0; round < 100; round++)
        {
            var job = new Count(5);
            CpuPool.Run(job, 5);
            Assert.All(job.Runs, n => Assert.Equal(1, n));
            if (round % 4 == 0) Thread.Sleep(1);
        }
    }

    [Fact]
    public void A_worker_that_never_gets_to_run_does_not_stall_a_job()
    {
        // A pool of its own, from a second copy of the assemblies: its workers count as started, and as asleep, but there are none. For the caller
        // that is the same as workers that the operating system never lets run.
        var copy = new Copy();
        try
        {
            var type = copy.LoadFromAssemblyPath(typeof(CpuPoolTests).Assembly.Location).GetType(typeof(CpuPoolTests).FullName!)!;
            var run = type.GetMethod(nameof(RunWithoutWorkers), BindingFlags.Static | BindingFlags.NonPublic)!.CreateDelegate<Func<string>>();
            Assert.NotSame(typeof(CpuPoolTests), type);
            string? wrong = null;
            var caller = new Thread(() => wrong = run()) { IsBackground = true };
            caller.Start();
            Assert.True(caller.Join(TimeSpan.FromSeconds(60)), "the job waits for a worker that has begun nothing");
            Assert.Equal("", wrong);
        }
        finally
        {
            copy.Unload();
        }
    }

    // Runs in the copy; what went wrong, or nothing.
    private static string RunWithoutWorkers()
    {
        const BindingFlags Hidden = BindingFlags.Static | BindingFlags.NonPublic;
        CpuPool.Threads = 8;
        typeof(CpuPool).GetField("s_started", Hidden)!.SetValue(null, 7);
        typeof(CpuPool).GetField("s_sleepers", Hidden)!.SetValue(null, 7);
        int caller = Environment.CurrentManagedThreadId;
        for (int round = 0; round < 100; round++)
        {
            var job = new Count(50);
            CpuPool.Run(job, 50);
            if (job.Runs.Any(n => n != 1)) return "a chunk was lost or repeated";
            if (job.Threads.Any(t => t != caller)) return "a worker took part: this test tests nothing";
        }
        return "";
    }

    [Fact]
    public void A_second_caller_does_its_work_while_the_first_is_held_up()
    {
        CpuPool.Threads = 2;
        using var held = new ManualResetEventSlim();
        using var begun = new ManualResetEventSlim();
        var first = new Thread(() => CpuPool.Run(new Do(_ =>
        {
            begun.Set();
            held.Wait();
        }), 2));
        first.Start();
        begun.Wait(TestContext.Current.CancellationToken);
        var job = new Count(20);
        CpuPool.Run(job, 20);
        Assert.All(job.Runs, n => Assert.Equal(1, n));
        Assert.All(job.Threads, t => Assert.Equal(Environment.CurrentManagedThreadId, t));
        held.Set();
        first.Join();
    }

    [Fact]
    public void A_job_inside_a_chunk_runs_where_it_is()
    {
        CpuPool.Threads = 2;
        var inner = new[] { new Count(10), new Count(10), new Count(10) };
        CpuPool.Run(new Do(i => CpuPool.Run(inner[i], 10)), 3);
        foreach (var job in inner)
        {
            Assert.All(job.Runs, n => Assert.Equal(1, n));
            Assert.Single(job.Threads.Distinct());
        }
    }

    [Fact]
    public void A_failing_chunk_is_reported_and_the_pool_goes_on()
    {
        CpuPool.Threads = 2;
        for (int round = 0; round < 20; round++)
        {
            int ran = 0;
            var error = Assert.Throws<InvalidOperationException>(() => CpuPool.Run(new Do(i =>
            {
                Interlocked.Increment(ref ran);
                if (i == 3) throw new ArithmeticException("chunk three");
            }), 10));
            Assert.Contains("chunk three", error.Message);
            Assert.IsType<ArithmeticException>(error.InnerException);
            Assert.Equal(10, ran);
            var job = new Count(10);
            CpuPool.Run(job, 10);
            Assert.All(job.Runs, n => Assert.Equal(1, n));
        }
    }

    [Fact]
    public void A_region_allocates_nothing()
    {
        CpuPool.Threads = 2;
        var job = new Do(_ => { });
        for (int i = 0; i < 100; i++) CpuPool.Run(job, 4);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) CpuPool.Run(job, 4);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private sealed class Count(int chunks) : CpuJob
    {
        public int[] Runs { get; } = new int[chunks];

        public int[] Threads { get; } = new int[chunks];

        public override void Run(int chunk)
        {
            Interlocked.Increment(ref Runs[chunk]);
            Threads[chunk] = Environment.CurrentManagedThreadId;
        }
    }

    private sealed class Do(Action<int> action) : CpuJob
    {
        public override void Run(int chunk) => action(chunk);
    }

    private sealed class Copy() : AssemblyLoadContext("a second pool", isCollectible: true)
    {
        protected override Assembly? Load(AssemblyName name) =>
            name.Name == "Sfn.Tensor" ? LoadFromAssemblyPath(typeof(CpuPool).Assembly.Location) : null;
    }
}

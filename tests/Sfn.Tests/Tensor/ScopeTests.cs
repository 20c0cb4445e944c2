namespace Sfn.Tests;

/// <summary>Lifetimes: what a scope frees, what leaves it, and misuse.</summary>
public class ScopeTests : LeakCheck
{
    protected override bool HasParameters => true;

    [Fact]
    public void A_scope_frees_what_was_made_inside()
    {
        long before = Memory.Live();
        Tensor x;
        using (Scope.Open())
        {
            x = Tensor.Ones([1000]).Exp();
            Assert.True(Memory.Live() > before);
            Assert.True(x.IsAlive);
        }
        Assert.False(x.IsAlive);
        Assert.Equal(before, Memory.Live());
    }

    [Fact]
    public void Return_moves_a_result_one_scope_outward()
    {
        using var outer = Scope.Open("outer");
        Tensor result, dropped;
        using (var inner = Scope.Open("inner"))
        {
            dropped = Tensor.Ones([3]);
            result = inner.Return(dropped * 2);
            Assert.Same(result, inner.Return(result));
        }
        Assert.False(dropped.IsAlive);
        Assert.Equal([2f, 2f, 2f], result.ToArray());
    }

    [Fact]
    public void Return_without_outer_scope_and_Keep_leave_it_to_the_garbage_collector()
    {
        Tensor a, b, c;
        using (var scope = Scope.Open())
        {
            (a, b) = scope.Return(Tensor.Ones([2]), Tensor.Zeros([2]));
            c = Tensor.Full([2], 7).Keep();
        }
        Assert.Equal([1f, 1f], a.ToArray());
        Assert.Equal([0f, 0f], b.ToArray());
        Assert.Equal([7f, 7f], c.ToArray());
    }

    [Fact]
    public void A_view_keeps_its_memory_after_the_base_is_gone()
    {
        using var outer = Scope.Open();
        Tensor view, whole;
        using (var scope = Scope.Open())
        {
            whole = Tensor.Arange(6).Reshape(2, 3);
            view = scope.Return(whole[1]);
        }
        Assert.Equal([3f, 4f, 5f], view.ToArray());
    }

    [Fact]
    public void Returning_a_tensor_of_another_scope_changes_nothing()
    {
        using var outer = Scope.Open("outer");
        var x = Tensor.Ones([2]);
        using (var inner = Scope.Open("inner")) Assert.Same(x, inner.Return(x));
        Assert.True(x.IsAlive);
    }

    [Fact]
    public void Scopes_close_in_reverse_order()
    {
        Scope outer = Scope.Open("outer"), inner = Scope.Open("inner");
        string message = Assert.Throws<InvalidOperationException>(outer.Dispose).Message;
        Assert.Equal("Scope 'outer' was closed while an inner scope is open, or on another thread. Dispose scopes in reverse order.", message);
        inner.Dispose();
        outer.Dispose();
        outer.Dispose();
    }

    [Fact]
    public void A_scope_closed_on_another_thread_is_refused()
    {
        using var scope = Scope.Open("mine");
        var x = Tensor.Ones([2]);
        Exception? caught = null;
        var other = new Thread(() => caught = Record.Exception(scope.Dispose));
        other.Start();
        other.Join();
        Assert.IsType<InvalidOperationException>(caught);
        Assert.True(x.IsAlive);
    }

    [Fact]
    public void Tensors_outside_of_scopes_survive_collections_while_they_are_used()
    {
        // Four threads rent what the collector hands back: memory that is still read would change under its reader.
        using var stop = new CancellationTokenSource();
        int wrong = 0;
        var workers = Enumerable.Range(1, 4).Select(i => new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                var x = Tensor.Full([50_000 + i], i);
                var y = (x * 2 + x).Reshape(1, -1).Softmax() * x.Count;
                if (Math.Abs((y.Reshape(-1) + x.Contiguous()).Sum().Item() / x.Count - (1 + i)) > 1e-3) Interlocked.Increment(ref wrong);
                var p = Tensor.Full([60, 60], 1).MatMul(Tensor.Full([60, 60], i)).Transpose().Contiguous();
                if (p.Max().Item() != 60 * i || p.Min().Item() != 60 * i) Interlocked.Increment(ref wrong);
            }
        })).ToList();
        workers.ForEach(w => w.Start());
        for (long until = Environment.TickCount64 + 1500; Environment.TickCount64 < until;) GC.Collect();
        stop.Cancel();
        workers.ForEach(w => w.Join());
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void Threads_have_scopes_of_their_own()
    {
        using var scope = Scope.Open();
        var x = Tensor.Ones([4]);
        Tensor? theirs = null;
        var other = new Thread(() =>
        {
            using var own = Scope.Open("theirs");
            theirs = x + x;
        });
        other.Start();
        other.Join();
        Assert.True(x.IsAlive);
        Assert.False(theirs!.IsAlive);
    }

    [Fact]
    public void A_late_second_dispose_does_not_close_another_scope()
    {
        var first = Scope.Open();
        first.Dispose();
        using var second = Scope.Open();
        var x = Tensor.Ones([3]);
        first.Dispose();
        Assert.True(x.IsAlive);
        Assert.Throws<InvalidOperationException>(() => first.Return(x));
    }
}

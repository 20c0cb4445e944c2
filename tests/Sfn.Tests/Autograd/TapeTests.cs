using Sfn.Autograd;

namespace Sfn.Tests.Autograd;

/// <summary>The tape: what is recorded, how gradients add up, and where values must not be shared.</summary>
public class TapeTests : LeakCheck
{
    protected override bool HasParameters => true;

    [Fact]
    public void The_example_of_the_documentation()
    {
        var w = new Parameter("w", Tensor.From([1f, 2f, 3f]));
        using var tape = new Tape();
        var loss = (w.Value.Exp() * 2f).Sum();
        tape.Backward(loss);
        Assert.Equal("[5.4366, 14.7781, 40.1711]", w.Gradient!.ToString());
    }

    [Fact]
    public void Gradients_of_two_backward_passes_add_up()
    {
        var w = new Parameter("w", Tensor.From([1f, 2f]));
        for (int i = 1; i <= 2; i++)
        {
            using var tape = new Tape();
            tape.Backward((w.Value * w.Value).Sum());
            Assert.Equal([2f * i, 4f * i], w.Gradient!.ToArray());
        }
        w.ClearGradient();
        Assert.Null(w.Gradient);
        using var again = new Tape();
        again.Backward((w.Value * 3).Sum());
        Assert.Equal([3f, 3f], w.Gradient!.ToArray());
    }

    [Fact]
    public void A_parameter_used_often_gets_the_sum()
    {
        var w = new Parameter("w", Tensor.From([2f]));
        using var tape = new Tape();
        var x = w.Value;
        tape.Backward((x * x * x + x.Exp() - x + w.Value.Reshape(1, 1).Sum()).Sum());
        Assert.Equal(3 * 4 + Math.Exp(2) - 1 + 1, w.Gradient!.Item(), 1e-5);
    }

    [Fact]
    public void Frozen_parameters_take_no_gradient_and_record_nothing()
    {
        Parameter w = new("w", Tensor.From([1f, 2f])) { Frozen = true }, v = new("v", Tensor.From([3f, 4f]));
        using var tape = new Tape();
        Assert.Equal(0, tape.Count);
        var hidden = w.Value.Exp();
        Assert.Equal(0, tape.Count);
        tape.Backward((hidden * v.Value * w.Value).Sum());
        Assert.Null(w.Gradient);
        Assert.Equal((w.Value.Exp() * w.Value).ToArray(), v.Gradient!.ToArray());
    }

    [Fact]
    public void Detach_stops_the_gradient()
    {
        var w = new Parameter("w", Tensor.From([3f]));
        using var tape = new Tape();
        tape.Backward((w.Value * w.Value.Detach()).Sum());
        Assert.Equal(3, w.Gradient!.Item());
    }

    [Fact]
    public void Watch_gives_the_gradient_of_an_input()
    {
        using var tape = new Tape();
        Tensor x = tape.Watch(Tensor.From([1f, 2f])), unused = tape.Watch(Tensor.From([1f]));
        tape.Backward((x * x).Sum());
        Assert.Equal([2f, 4f], tape.Gradient(x)!.ToArray());
        Assert.Null(tape.Gradient(unused));
        Assert.Contains("not watched", Assert.Throws<NoGradient>(() => tape.Gradient(Tensor.Ones([1]))).Message, StringComparison.Ordinal);
        Assert.Contains("I32", Assert.Throws<DTypeMismatch>(() => tape.Watch(Tensor.From([1]))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_gradient_of_an_intermediate_watched_value()
    {
        var w = new Parameter("w", Tensor.From([2f]));
        using var tape = new Tape();
        var h = w.Value * 3;
        tape.Backward((h * h).Sum());
        Assert.Equal(36, w.Gradient!.Item());
    }

    [Fact]
    public void Shared_gradients_are_copied_before_they_grow()
    {
        // x + y hands the same dy to both; then x gets more, y must not.
        using var tape = new Tape();
        Tensor x = tape.Watch(Tensor.From([1f, 2f])), y = tape.Watch(Tensor.From([3f, 4f]));
        var first = x * 10;
        tape.Backward((x + y + first).Sum());
        Assert.Equal([11f, 11f], tape.Gradient(x)!.ToArray());
        Assert.Equal([1f, 1f], tape.Gradient(y)!.ToArray());
    }

    [Fact]
    public void Shared_gradients_through_views_are_copied_too()
    {
        using var tape = new Tape();
        Tensor x = tape.Watch(Tensor.From([1f, 2f, 3f, 4f], [2, 2])), y = tape.Watch(Tensor.From([5f, 6f, 7f, 8f], [2, 2]));
        var square = x * x;
        var sum = x.Transpose() + y;
        tape.Backward(sum + square + y.Reshape(4).Reshape(2, 2), Tensor.From([1f, 10f, 100f, 1000f], [2, 2]));
        Assert.Equal([1 + 2f, 100 + 40f, 10 + 600f, 1000 + 8000f], tape.Gradient(x)!.ToArray());
        Assert.Equal([2f, 20f, 200f, 2000f], tape.Gradient(y)!.ToArray());
    }

    [Fact]
    public void The_given_gradient_is_not_changed()
    {
        using var tape = new Tape();
        var x = tape.Watch(Tensor.From([1f, 2f]));
        var dy = Tensor.From([1f, 1f]);
        var y = x.Reshape(1, 2).Reshape(2);
        tape.Backward(y + x + x.Exp(), dy);
        Assert.Equal([1f, 1f], dy.ToArray());
        Assert.Equal(2 + Math.E, tape.Gradient(x)![0].Item(), 1e-6);
    }

    [Fact]
    public void One_value_added_to_itself()
    {
        using var tape = new Tape();
        var x = tape.Watch(Tensor.From([1f, 2f]));
        var y = x + x;
        tape.Backward((y + y).Sum());
        Assert.Equal([4f, 4f], tape.Gradient(x)!.ToArray());
    }

    [Fact]
    public void Gradients_of_broadcast_inputs_are_summed()
    {
        using var tape = new Tape();
        Tensor row = tape.Watch(Tensor.Ones([3])), column = tape.Watch(Tensor.Ones([2, 1])), one = tape.Watch(Tensor.Ones([]));
        tape.Backward((row * column * one).Sum());
        Assert.Equal([2f, 2f, 2f], tape.Gradient(row)!.ToArray());
        Assert.Equal([3f, 3f], tape.Gradient(column)!.ToArray());
        Assert.Equal(6, tape.Gradient(one)!.Item());
    }

    [Fact]
    public void Backward_needs_a_number_that_this_tape_recorded()
    {
        using var scope = Scope.Open();
        var before = Tensor.Ones([1]);
        using var tape = new Tape();
        var x = tape.Watch(Tensor.From([1f, 2f]));
        Assert.Contains("Sum() or Mean()", Assert.Throws<ShapeMismatch>(() => tape.Backward(x.Exp())).Message, StringComparison.Ordinal);
        Assert.Throws<NoGradient>(() => tape.Backward(before));
        Assert.Throws<NoGradient>(() => tape.Backward(before * 2));
        Assert.Throws<ShapeMismatch>(() => tape.Backward(x.Exp(), Tensor.Ones([3])));
        var loss = x.Sum();
        tape.Backward(loss);
        Assert.Contains("backward has run already", Assert.Throws<NoGradient>(() => tape.Backward(loss)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tape_inside_a_tape_has_its_own_gradients()
    {
        var w = new Parameter("w", Tensor.From([2f]));
        using var outer = new Tape();
        var x = w.Value * w.Value;
        using (var inner = new Tape())
        {
            var y = inner.Watch(Tensor.From([5f]));
            inner.Backward(y * y);
            Assert.Equal(10, inner.Gradient(y)!.Item());
            Assert.Null(w.Gradient);
        }
        outer.Backward(x * 3);
        Assert.Equal(12, w.Gradient!.Item());
    }

    [Fact]
    public void A_value_of_the_outer_tape_does_not_lose_its_gradient_silently()
    {
        using var outer = new Tape();
        var x = outer.Watch(Tensor.From([2f]));
        using (var inner = new Tape())
        {
            Assert.Contains("another open tape", Assert.Throws<NoGradient>(() => x * 2).Message, StringComparison.Ordinal);
            Assert.Equal(4, (x.Detach() * 2).Item());
            var y = inner.Watch(x);
            inner.Backward(y * y);
            Assert.Equal(4, inner.Gradient(y)!.Item());
        }
        outer.Backward(x * 3);
        Assert.Equal(3, outer.Gradient(x)!.Item());
    }

    [Fact]
    public void A_value_kept_from_a_closed_tape_is_a_constant()
    {
        Tensor kept;
        using (var first = new Tape()) kept = (first.Watch(Tensor.From([2f])) * 2).Keep();
        using var tape = new Tape();
        var x = tape.Watch(Tensor.From([3f]));
        tape.Backward(x * kept);
        Assert.Equal(4, tape.Gradient(x)!.Item());
    }

    [Fact]
    public void An_op_that_returns_its_input_has_a_gradient()
    {
        var w = new Parameter("w", Tensor.From([2f]));
        using var tape = new Tape();
        var x = w.Value * 3;
        tape.Backward((Recompute.Run(t => t, x) * x).Sum());
        Assert.Equal(36, w.Gradient!.Item());
    }

    [Fact]
    public void Recompute_has_the_gradients_of_the_plain_function()
    {
        Parameter w = new("w", Tensor.Randn([4, 3], 1)), v = new("v", Tensor.Randn([3], 2));
        Tensor F(Tensor t) => t.Linear(w.Value, null).Gelu().Linear(w.Value.Transpose()) * v.Value;
        using var scope = Scope.Open();
        var input = Tensor.Randn([5, 3], 3);
        var runs = new List<float[][]>();
        foreach (bool recompute in new[] { false, true })
        {
            using var tape = new Tape();
            var x = tape.Watch(input);
            var h = x + 1;
            var y = recompute ? Recompute.Run(t => Recompute.Run(F, t).Tanh(), h) : F(h).Tanh();
            tape.Backward((y * y).Sum());
            runs.Add([y.Detach().ToArray(), tape.Gradient(x)!.ToArray(), w.Gradient!.ToArray(), v.Gradient!.ToArray()]);
            w.ClearGradient();
            v.ClearGradient();
        }
        for (int i = 0; i < runs[0].Length; i++) OpRunNear(runs[1][i], runs[0][i]);
    }

    private static void OpRunNear(float[] actual, float[] expected) =>
        Ops.OpRun.Near([.. actual.Select(v => (double)v)], [.. expected.Select(v => (double)v)], 1e-6, "recomputed");

    [Fact]
    public void Nothing_is_recorded_without_a_tape()
    {
        using var scope = Scope.Open();
        var w = new Parameter("w", Tensor.From([2f]));
        var y = w.Value.Exp();
        using var tape = new Tape();
        Assert.Throws<NoGradient>(() => tape.Backward(y));
    }

    [Fact]
    public void A_tape_closed_on_another_thread_is_refused_and_lives_on()
    {
        using var tape = new Tape();
        var x = tape.Watch(Tensor.From([2f]));
        var y = x * x;
        Exception? caught = null;
        var other = new Thread(() => caught = Record.Exception(tape.Dispose));
        other.Start();
        other.Join();
        Assert.IsType<InvalidOperationException>(caught);
        tape.Backward(y);
        Assert.Equal(4, tape.Gradient(x)!.Item());
    }

    [Fact]
    public void A_tape_is_not_closed_while_an_inner_scope_is_open()
    {
        var tape = new Tape();
        var x = tape.Watch(Tensor.From([2f]));
        var inner = Scope.Open("inner");
        Assert.Contains("the tape", Assert.Throws<InvalidOperationException>(tape.Dispose).Message, StringComparison.Ordinal);
        inner.Dispose();
        tape.Backward(x * x);
        Assert.Equal(4, tape.Gradient(x)!.Item());
        tape.Dispose();
        tape.Dispose();
    }

    [Fact]
    public void Memory_falls_back_to_the_parameter_after_each_step()
    {
        var w = new Parameter("w", Tensor.Randn([64, 64], 1));
        long live = 0, allocations = 0;
        for (int step = 0; step < 5; step++)
        {
            using (var tape = new Tape())
            {
                var h = Tensor.Ones([16, 64]);
                for (int layer = 0; layer < 3; layer++)
                {
                    using var scope = Scope.Open("layer");
                    h = scope.Return(h.Linear(w.Value).Gelu().LayerNorm(Tensor.Ones([64])));
                }
                tape.Backward(h.Square().Mean());
            }
            w.ClearGradient();
            if (step == 1) (live, allocations) = (Memory.Live(), Memory.Allocations());
            if (step > 1) Assert.Equal((live, allocations), (Memory.Live(), Memory.Allocations()));
        }
    }

    [Fact]
    public void Eight_threads_have_a_tape_each()
    {
        var w = Tensor.From([1f, 2f, 3f]);
        var results = new float[8][];
        var threads = Enumerable.Range(0, 8).Select(i => new Thread(() =>
        {
            for (int n = 0; n < 50; n++)
            {
                using var tape = new Tape();
                var x = tape.Watch(w);
                tape.Backward(((x * i).Exp() * x.Softmax()).Sum());
                results[i] = tape.Gradient(x)!.ToArray();
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        for (int i = 0; i < 8; i++)
        {
            using var tape = new Tape();
            var x = tape.Watch(w);
            tape.Backward(((x * i).Exp() * x.Softmax()).Sum());
            Assert.Equal(tape.Gradient(x)!.ToArray(), results[i]);
        }
    }

    [Fact]
    public void An_op_on_another_thread_is_refused_instead_of_missing()
    {
        var p = new Parameter("p", Tensor.From([1f, 2f]));
        using var tape = new Tape();
        var h = p.Value * 2.0;
        var free = h.Detach();
        Exception? failure = null;
        double sum = 0;
        var thread = new Thread(() =>
        {
            sum = free.Sum().Item();
            failure = Record.Exception(() => h.Sum());
        });
        thread.Start();
        thread.Join();
        Assert.Equal(6, sum);
        Assert.Contains("another thread", Assert.IsType<NoGradient>(failure).Message);
    }

    [Fact]
    public void A_changed_third_input_is_noticed()
    {
        var w = new Parameter("w", Tensor.Randn([2, 2, 2], 1));
        using var tape = new Tape();
        var y = Tensor.Randn([3, 4], 2).ShuffleLinear(Tensor.Randn([2, 2, 2], 3), w.Value).Sum();
        w.Set(Tensor.Zeros([2, 2, 2]));
        Assert.Throws<StaleValue>(() => tape.Backward(y));
    }

    [Fact]
    public void A_failed_backward_leaves_no_names_behind()
    {
        var w = new Parameter("w", Tensor.From([1f]));
        using var tape = new Tape();
        ModulePath.Current = "inside";
        var y = w.Value * w.Value;
        ModulePath.Current = "";
        w.Set(Tensor.From([2f]));
        Assert.Contains("(in inside)", Assert.Throws<StaleValue>(() => tape.Backward(y)).Message);
        Assert.Equal(("", ""), (ModulePath.Current, Sfn.Ops.Op.Current));
    }

    [Fact]
    public void Only_watched_tensors_have_a_gradient_to_ask_for()
    {
        using var tape = new Tape();
        var x = tape.Watch(Tensor.From([3f]));
        var y = x * x;
        tape.Backward(y.Sum());
        Assert.Equal([6f], tape.Gradient(x)!.ToArray());
        Assert.Throws<NoGradient>(() => tape.Gradient(y));
    }

    [Fact]
    public void Backward_refuses_a_freed_gradient_and_one_of_another_device()
    {
        using var tape = new Tape();
        var y = tape.Watch(Tensor.From([3f])) * 2;
        Tensor dead;
        using (Scope.Open("short")) dead = Tensor.From([1f]);
        Assert.Contains("short", Assert.Throws<DeadTensor>(() => tape.Backward(y, dead)).Message);
        Assert.Throws<DeviceMismatch>(() => tape.Backward(y, Tensor.Ones([1], device: Device.Reference)));
    }

    [Fact]
    public void A_parameter_takes_only_what_fits()
    {
        using var scope = Scope.Open();
        var w = new Parameter("w", Tensor.Zeros([2, 3]));
        Assert.Contains("w has shape [2, 3]; the gradient has [3]", Assert.Throws<ShapeMismatch>(() => w.AddGradient(Tensor.Zeros([3]))).Message);
        Assert.Throws<DeviceMismatch>(() => w.AddGradient(Tensor.Zeros([2, 3], device: Device.Reference)));
        Assert.Throws<DeviceMismatch>(() => w.Set(Tensor.Zeros([2, 3], device: Device.Reference)));
        Assert.Null(w.Gradient);
    }

    [Fact]
    public void A_parameter_can_be_set_to_a_view_of_itself()
    {
        using var scope = Scope.Open();
        var w = new Parameter("w", Tensor.From([1f, 2f, 3f, 4f], [2, 2]));
        w.Set(w.Value.Transpose());
        Assert.Equal([1f, 3f, 2f, 4f], w.Value.ToArray());
    }

    [Fact]
    public void A_recomputed_part_may_read_ids()
    {
        var table = new Parameter("table", Tensor.From([1f, 2f, 3f], [3, 1]));
        using var tape = new Tape();
        tape.Backward(Recompute.Run(ids => table.Value.Gather(ids).Square(), Tensor.From([2, 0])).Sum());
        Assert.Equal([2f, 0f, 6f], table.Gradient!.ToArray());
    }

    [Fact]
    public void A_recomputed_part_may_be_a_parameter_or_a_constant()
    {
        var w = new Parameter("w", Tensor.From([5f]));
        using var tape = new Tape();
        var x = Tensor.From([1f]);
        tape.Backward((Recompute.Run(_ => w.Value, x) * 3 + Recompute.Run(_ => Tensor.From([7f]), x)).Sum());
        Assert.Equal([3f], w.Gradient!.ToArray());
    }

    [Fact]
    public void A_gradient_for_the_tables_of_rope_is_refused()
    {
        using var tape = new Tape();
        var (cos, sin) = Tensor.RopeTables(2, 2);
        var y = Tensor.Ones([1, 2, 1, 2]).Rope(tape.Watch(cos), sin).Sum();
        Assert.Throws<NoGradient>(() => tape.Backward(y));
    }

    [Fact]
    public void No_rows_give_gradients_of_zero()
    {
        Parameter dense = new("dense", Tensor.Ones([2, 4])), blocks = new("blocks", Tensor.Ones([2, 2, 2])), scale = new("scale", Tensor.Ones([4])),
            shift = new("shift", Tensor.Ones([4])), table = new("table", Tensor.Ones([3, 4]));
        using var tape = new Tape();
        var x = table.Value.Gather(Tensor.From(Array.Empty<int>(), [0]));
        var y = x.LayerNorm(scale.Value, shift.Value).RmsNorm(scale.Value).BlockLinear(blocks.Value).ShuffleLinear(blocks.Value, blocks.Value);
        tape.Backward(y.Softmax().Linear(dense.Value).Sum() + y.MatMul(dense.Value.Transpose()).Sum());
        foreach (var p in new[] { dense, blocks, scale, shift, table }) Assert.All(p.Gradient!.ToArray(), g => Assert.Equal(0f, g));
    }

    [Fact]
    public void A_parameter_that_moved_during_recording_is_noticed()
    {
        var w = new Parameter("w", Tensor.From([3f]));
        using var tape = new Tape();
        var y = w.Value.Square().Sum();
        w.MoveTo(Tensor.Zeros([1]), Tensor.Zeros([1]));
        Assert.Throws<StaleValue>(() => tape.Backward(y));
    }
}

using Sfn.Autograd;
using Sfn.Train;

namespace Sfn.Tests.Autograd;

/// <summary>The bfloat16 shadow of a parameter: what it holds, when it is made again, and where its gradient goes.</summary>
public class ShadowTests : LeakCheck
{
    protected override bool HasParameters => true;

    [Fact]
    public void The_shadow_is_the_rounded_value_and_follows_every_change()
    {
        var w = new Parameter("w", Tensor.Randn([5, 7], 1), shadowed: true);
        Check(w);
        w.Set(Tensor.Randn([5, 7], 2));
        Check(w);
        var optimizer = new Sgd([w]);
        Check(w);
        w.AddGradient(Tensor.Randn([5, 7], 3));
        optimizer.Step(0.1f);
        Check(w);
        w.Value.Backend.Fill(w.Value.View, 1.2345);
        w.MarkChanged();
        Check(w);
        Assert.Same(w.Shadow, w.Reading);

        static void Check(Parameter w)
        {
            Assert.Equal(DType.BF16, w.Shadow!.DType);
            Assert.Equal(w.Value.ToArray().Select(x => (float)(BFloat16)x), w.Shadow.ToArray());
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_step_leaves_the_shadows_right_whoever_takes_part(bool adam)
    {
        Parameter Make(string name, int count, bool shadowed = true) => new(name, Tensor.Randn([count], (ulong)count), shadowed);
        Parameter[] all = [Make("a", 3), Make("frozen", 5), Make("unreached", 21), Make("bias", 4, shadowed: false), Make("b", 18)];
        all[1].Frozen = true;
        Optimizer optimizer = adam ? new AdamW(all) : new Sgd(all);
        for (int step = 0; step < 3; step++)
        {
            foreach (var p in all) if (p.Name is not ("unreached" or "frozen")) p.AddGradient(Tensor.Ones(p.Shape));
            optimizer.Step(0.01f);
            if (step == 1) all[1].Set(Tensor.Full([5], 1.01));
            foreach (var p in all)
                if (p.IsShadowed) Assert.Equal(p.Value.ToArray().Select(x => (float)(BFloat16)x), p.Shadow!.ToArray());
        }
        Assert.Null(all[3].Shadow);
        Assert.Same(all[3].Value, all[3].Reading);
    }

    // 256 + 1 + 1 + …: in bfloat16 256 + 1 is 256 again.
    [Fact]
    public void Gradients_of_a_shadow_are_summed_in_float32()
    {
        var w = new Parameter("w", Tensor.Ones([2]), shadowed: true);
        using (var tape = new Tape())
        {
            var y = (w.Reading * 256).Sum();
            for (int i = 0; i < 8; i++) y += w.Reading.Sum();
            tape.Backward(y);
        }
        Assert.Equal(DType.F32, w.Gradient!.DType);
        Assert.Equal([264f, 264f], w.Gradient.ToArray());
    }

    [Fact]
    public void Every_way_to_a_shadow_gives_a_float32_gradient()
    {
        using var scope = Scope.Open();
        var w = new Parameter("w", Tensor.Randn([4, 4], 1), shadowed: true);
        var x = Tensor.Randn([3, 4], 2).To(DType.BF16);
        Func<Tensor, Tensor>[] uses =
        [
            w => w, w => x.Linear(w), w => x.MatMul(w), w => w.Exp(), w => w.Gather(Tensor.From([1, 1, 3])), w => w[1..3], w => x[0] * w, w => w.Transpose(),
            w => w.To(DType.F32), w => x.BlockLinear(w.Reshape(2, 4, 2)), w => x.LinearCrossEntropy(w, Tensor.From([0, 3, 1])), w => w.Softmax(),
            w => w.Sum(0), w => Recompute.Run(v => x.Linear(v), w),
        ];
        foreach (var use in uses)
        {
            double[] Gradient(Func<Tensor, Tensor> f, Tensor start, Parameter? parameter)
            {
                using var tape = new Tape();
                var from = parameter is null ? tape.Watch(start) : start;
                var y = f(from) * 1.0;
                tape.Backward(y, Tensor.Full(y.Shape, 0.5, y.DType));
                return Ops.OpRun.Wide(parameter is null ? tape.Gradient(from)! : parameter.Gradient!);
            }
            w.ClearGradient();
            // Twice: once written, once added to.
            Gradient(use, w.Reading, w);
            double[] actual = Gradient(use, w.Reading, w), expected = Gradient(use, w.Shadow!.Detach(), null);
            Assert.Equal(DType.F32, w.Gradient!.DType);
            Ops.OpRun.Near(actual, [.. expected.Select(g => 2 * g)], 1.0 / 128, "gradient");
        }
    }

    [Fact]
    public void The_sum_over_rows_for_a_float32_bias_is_not_rounded()
    {
        using var scope = Scope.Open();
        var bias = new Parameter("b", Tensor.Zeros([1]));
        using var tape = new Tape();
        var y = Tensor.Ones([1027, 1], DType.BF16).Linear(Tensor.Ones([1, 1], DType.BF16), bias.Value);
        tape.Backward(y, Tensor.Ones(y.Shape, DType.BF16));
        // 1027 needs 11 bits of mantissa.
        Assert.Equal([1027f], bias.Gradient!.ToArray());
    }

    [Fact]
    public void A_shadow_that_changed_after_the_forward_pass_is_noticed()
    {
        var w = new Parameter("w", Tensor.Ones([2]), shadowed: true);
        var optimizer = new Sgd([w]);
        using (var tape = new Tape())
        {
            var y = (w.Reading * w.Reading).Sum();
            w.AddGradient(Tensor.Ones([2]));
            optimizer.Step(0.1f);
            Assert.Throws<StaleValue>(() => tape.Backward(y));
        }
        // Making another parameter's shadow in the same storage is no change of this one.
        var v = new Parameter("v", Tensor.Ones([2]), shadowed: true);
        _ = new Sgd([w, v]);
        w.ClearGradient();
        using (var tape = new Tape())
        {
            var y = (w.Reading * w.Reading).Sum() + (v.Reading * v.Reading).Sum();
            tape.Backward(y);
        }
        Assert.NotNull(w.Gradient);
        using (var tape = new Tape())
        {
            var y = w.Reading.Square().Sum();
            w.Set(Tensor.Zeros([2]));
            Assert.Throws<StaleValue>(() => tape.Backward(y));
        }
    }

    [Fact]
    public void A_frozen_shadow_takes_no_gradient_and_types_do_not_mix_silently()
    {
        using var scope = Scope.Open();
        var w = new Parameter("w", Tensor.Ones([2, 2]), shadowed: true) { Frozen = true };
        using var tape = new Tape();
        var y = Tensor.Ones([3, 2], DType.BF16).Linear(w.Reading);
        Assert.Equal(0, tape.Count);
        Assert.Equal("linear of F32 and BF16: element types must be equal. Convert one with To(DType.F32).",
            Assert.Throws<DTypeMismatch>(() => Tensor.Ones([3, 2]).Linear(w.Reading)).Message);
        Assert.Equal("linear of BF16 and F32: element types must be equal. Convert one with To(DType.BF16).",
            Assert.Throws<DTypeMismatch>(() => y.Linear(w.Value)).Message);
        Assert.Equal("add of BF16 and F32: element types must be equal. Convert one with To(DType.BF16).",
            Assert.Throws<DTypeMismatch>(() => y + w.Value[0]).Message);
        var error = Assert.Throws<DTypeMismatch>(() => new Parameter("b", Tensor.Ones([2], DType.BF16), shadowed: true));
        Assert.Contains("BF16 shadow", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Threads_that_come_first_together_see_one_shadow()
    {
        for (int round = 0; round < 20; round++)
        {
            var w = new Parameter("w", Tensor.Randn([1000], (ulong)round), shadowed: true);
            var seen = new Tensor[8];
            Thread[] threads = [.. Enumerable.Range(0, 8).Select(i => new Thread(() => seen[i] = w.Reading))];
            foreach (var t in threads) t.Start();
            foreach (var t in threads) t.Join();
            Assert.Single(seen.Distinct());
            Assert.Equal(w.Value.ToArray().Select(x => (float)(BFloat16)x), seen[0].ToArray());
        }
    }
}

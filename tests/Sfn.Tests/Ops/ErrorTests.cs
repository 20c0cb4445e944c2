using Sfn.Autograd;
using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests.Ops;

/// <summary>Errors name the op, the shapes or values, and the way out; none of them leaks memory or leaves recording switched off.</summary>
public class ErrorTests : LeakCheck
{
    protected override bool HasParameters => true;

    public static TheoryData<string, string, string> Shapes => new()
    {
        { "add", "add", "Shapes [2, 3] and [4] do not broadcast: dimension -1 is 3 and 4. Sizes must be equal or 1." },
        { "where", "where", "Shapes [2, 3] and [4] do not broadcast" },
        { "matmul", "matmul of [2, 3] and [2, 3]", "the last size of the first must be the last but one of the second" },
        { "matmul batch", "matmul", "do not broadcast" },
        { "linear", "linear of input [2, 3] and weight [4, 5]", "the weight is [out, in]" },
        { "linear bias", "linear: bias [4] for weight [5, 3]", "must be [5]" },
        { "linear residual", "linear: residual [2, 3]", "must have the result's shape [2, 5]" },
        { "block_linear", "block_linear of input [2, 3] and weight [2, 3, 4]", "blocks·in" },
        { "shuffle_linear", "shuffle_linear: second weight [2, 2, 2]", "l·r = 3" },
        { "layernorm", "layernorm of [2, 3]: the weight [4]", "must be a vector of the last size" },
        { "layernorm bias", "layernorm: bias [4] and weight [3] differ", "" },
        { "cross_entropy", "cross_entropy: targets [3] must have the shape of the logits [2, 3] without the last size", "" },
        { "cross_entropy class", "cross_entropy: target 7 is outside the 3 classes", "" },
        { "linear_cross_entropy class", "target 7 is outside the 3 classes", "" },
        { "gather", "gather: index 2 is outside 0..1", "" },
        { "gather negative", "gather: index -1 is outside 0..1", "" },
        { "scatter_add", "scatter_add of updates [2, 3] at ids [1] into [2, 3]", "updates must be" },
        { "rope", "rope needs [batch, tokens, heads, dim] with an even dim, not [2, 3]", "" },
        { "rope tables", "rope of [1, 3, 1, 4] from position 2", "tables are [4, 2], need [at least 5, 2]" },
        { "attention", "attention of q [2, 3]", "q is [batch, tq, heads, dim]" },
        { "attention heads", "attention: 3 query heads are not a multiple of 2 key-value heads", "" },
        { "attention mask", "attention: the mask is F32 [1, 2]", "must be BOOL [1, 2]" },
        { "dropout", "dropout probability 1 is not in [0, 1)", "" },
        { "concat", "concat along dimension 0: [2, 4] does not fit [2, 3]", "all other sizes must be equal" },
        { "concat nothing", "concat of no tensors", "" },
        { "reshape", "Cannot reshape [2, 3] (6 elements) to [4] (4 elements)", "" },
        { "reshape unknown", "Cannot reshape [2, 3] to [4, -1]", "6 elements are not a multiple of 4" },
        { "permute", "[0, 0] is not an order of the 2 dimensions of [2, 3]", "" },
        { "expand", "Cannot expand [2, 3] to [4, 3]", "only size 1 repeats" },
        { "narrow", "Positions 2..5 of dimension 1 do not exist in shape [2, 3]", "" },
        { "slice", "Index 5 is outside dimension 0 of shape [2, 3]", "" },
        { "slice range", "Index 1..7 is outside dimension 1 of shape [2, 3]", "" },
        { "slice too many", "3 indices for a tensor of shape [2, 3]", "" },
        { "squeeze", "dimension 0 of [2, 3] has size 2, not 1", "" },
        { "axis", "Dimension 2 does not exist in shape [2, 3]", "use 0..1, or -2..-1 counted from the end" },
        { "axis of a scalar", "Dimension 0 does not exist in shape []", "scalar" },
        { "max of nothing", "max of an empty tensor of shape [0, 3]", "" },
        { "argmax of nothing", "argmax over an empty dimension of shape [3, 0]", "" },
        { "item", "Item() needs one element, the shape is [2, 3]", "Index the tensor first" },
        { "from", "5 values do not fill shape [2, 3], which has 6 elements", "" },
        { "seven dims", "at most 6 dimensions, not 7", "Reshape" },
        { "negative size", "Dimension 0 of [-1] is negative", "" },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Shape_errors_say_what_and_what_to_do(string what, string names, string fix)
    {
        using var scope = Scope.Open();
        Tensor x = Tensor.Ones([2, 3]), four = Tensor.Ones([4]), head = Tensor.Ones([1, 2, 3, 4]), keys = Tensor.Ones([1, 2, 2, 4]);
        Tensor Ids(params int[] ids) => Tensor.From(ids);
        Action act = what switch
        {
            "add" => () => _ = x + four,
            "where" => () => Tensor.Where(x, x, four),
            "matmul" => () => x.MatMul(x),
            "matmul batch" => () => Tensor.Ones([2, 2, 3]).MatMul(Tensor.Ones([3, 3, 2])),
            "linear" => () => x.Linear(Tensor.Ones([4, 5])),
            "linear bias" => () => x.Linear(Tensor.Ones([5, 3]), four),
            "linear residual" => () => x.Linear(Tensor.Ones([5, 3]), null, x),
            "block_linear" => () => x.BlockLinear(Tensor.Ones([2, 3, 4])),
            "shuffle_linear" => () => x.ShuffleLinear(Tensor.Ones([3, 1, 1]), Tensor.Ones([2, 2, 2])),
            "layernorm" => () => x.LayerNorm(four),
            "layernorm bias" => () => x.LayerNorm(x[0], four),
            "cross_entropy" => () => x.CrossEntropy(Ids(0, 1, 2)),
            "cross_entropy class" => () => x.CrossEntropy(Ids(0, 7)),
            "linear_cross_entropy class" => () => x.LinearCrossEntropy(Tensor.Ones([3, 3]), Ids(0, 7)),
            "gather" => () => x.Gather(Ids(1, 2)),
            "gather negative" => () => x.Gather(Ids(1, -1)),
            "scatter_add" => () => x.ScatterAdd(Ids(0), x),
            "rope" => () => x.Rope(x, x),
            "rope tables" => () => Tensor.Ones([1, 3, 1, 4]).Rope(Tensor.Ones([4, 2]), Tensor.Ones([4, 2]), 2),
            "attention" => () => Tensor.Attention(x, x, x),
            "attention heads" => () => Tensor.Attention(head, keys, keys),
            "attention mask" => () => Tensor.Attention(keys, keys, keys, mask: Tensor.Ones([1, 2])),
            "dropout" => () => x.Dropout(1, 1),
            "concat" => () => Tensor.Concat([x, Tensor.Ones([2, 4])]),
            "concat nothing" => () => Tensor.Concat([]),
            "reshape" => () => x.Reshape(4),
            "reshape unknown" => () => x.Reshape(4, -1),
            "permute" => () => x.Permute(0, 0),
            "expand" => () => x.Expand([4, 3]),
            "narrow" => () => x.Narrow(1, 2, 3),
            "slice" => () => _ = x[5],
            "slice range" => () => _ = x[.., 1..7],
            "slice too many" => () => _ = x[0, 0, 0],
            "squeeze" => () => x.Squeeze(0),
            "axis" => () => x.Sum(2),
            "axis of a scalar" => () => x.Sum().Sum(0),
            "max of nothing" => () => Tensor.Ones([0, 3]).Max(),
            "argmax of nothing" => () => Tensor.Ones([3, 0]).ArgMax(),
            "item" => () => x.Item(),
            "from" => () => Tensor.From([1f, 2f, 3f, 4f, 5f], [2, 3]),
            "seven dims" => () => Tensor.Ones([1, 1, 1, 1, 1, 1, 1]),
            _ => () => Tensor.Ones([-1]),
        };
        string message = Assert.Throws<ShapeMismatch>(act).Message;
        Assert.Contains(names, message, StringComparison.Ordinal);
        Assert.Contains(fix, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_freed_tensor_names_the_scope_that_freed_it()
    {
        Tensor dead;
        using (Scope.Open("attention 3")) dead = Tensor.Ones([2, 3]);
        Assert.False(dead.IsAlive);
        string message = Assert.Throws<DeadTensor>(() => dead.Exp()).Message;
        Assert.Equal("This tensor of shape [2, 3] was freed when attention 3 closed. Return it from the scope (scope.Return) or keep it (tensor.Keep()).", message);
        Assert.Throws<DeadTensor>(() => dead + dead);
        Assert.Throws<DeadTensor>(() => dead.ToArray());
        Assert.Throws<DeadTensor>(() => dead.Keep());
        Assert.Equal("freed tensor [2, 3]", dead.ToString());
    }

    [Fact]
    public void A_freed_tensor_stays_dead_when_its_memory_lives_again()
    {
        Tensor dead;
        using (Scope.Open("the first")) dead = Tensor.Ones([2, 3]);
        using var scope = Scope.Open("the second");
        var alive = Tensor.Ones([2, 3]);
        Assert.Throws<DeadTensor>(() => dead.Sum());
        Assert.Equal(6, alive.Sum().Item());
    }

    [Fact]
    public void Comparison_and_argmax_cut_the_graph_openly()
    {
        using var tape = new Tape();
        var x = tape.Watch(Tensor.From([1f, 2f, 3f]));
        foreach (var y in new[] { x.Greater(2.0), x.ArgMax(), x.To(DType.I32) })
            Assert.Contains("does not descend from a parameter", Assert.Throws<NoGradient>(() => tape.Backward(y.To(DType.F32).Sum())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_float_op_without_gradient_refuses_to_be_recorded()
    {
        using var tape = new Tape();
        var x = tape.Watch(Tensor.From([1f, 2f, 3f]));
        string message = Assert.Throws<NoGradient>(() => Op.Run(new Round(), x)).Message;
        Assert.Equal("round has no gradient, but its input descends from a parameter. Call Detach() on the input if that is meant.", message);
        Assert.Equal([1f, 2f, 3f], Op.Run(new Round(), x.Detach()).ToArray());
        Assert.Throws<NoGradient>(() => Op.Run(new Zip<Greater>(new()), x, x));
    }

    [Fact]
    public void A_changed_value_is_noticed_at_backward()
    {
        using var scope = Scope.Open();
        var w = new Parameter("w", Tensor.From([1f, 2f]));
        using (var tape = new Tape())
        {
            var loss = w.Value.Square().Sum();
            w.Set(Tensor.From([5f, 6f]));
            string message = Assert.Throws<StaleValue>(() => tape.Backward(loss)).Message;
            Assert.Contains("square", message, StringComparison.Ordinal);
            Assert.Contains("before the optimizer's step", message, StringComparison.Ordinal);
        }
        Assert.Equal([5f, 6f], w.Value.ToArray());
    }

    [Fact]
    public void An_error_inside_a_tape_leaves_recording_intact()
    {
        using var tape = new Tape();
        var x = tape.Watch(Tensor.Ones([2, 3]));
        Assert.Throws<ShapeMismatch>(() => x.MatMul(x));
        tape.Backward(x.Sum());
        Assert.Equal(6, tape.Gradient(x)!.Sum().Item());
    }

    [Fact]
    public void Errors_name_the_module()
    {
        using var scope = Scope.Open();
        ModulePath.Current = "blocks.0.ffn.up";
        try
        {
            Assert.EndsWith("(in blocks.0.ffn.up)", Assert.Throws<ShapeMismatch>(() => Tensor.Ones([2]) + Tensor.Ones([3])).Message, StringComparison.Ordinal);
        }
        finally
        {
            ModulePath.Current = "";
        }
    }

    [Fact]
    public void Devices_are_named()
    {
        using var scope = Scope.Open();
        string message = Assert.Throws<DeviceMismatch>(() => Tensor.Ones([2]) + Tensor.Ones([2], device: Device.Reference)).Message;
        Assert.Equal("add of tensors on cpu and reference. Move one with To(device).", message);
        Assert.Contains("Registered: cpu, reference", Assert.Throws<DeviceMismatch>(() => Device.Get("cuda")).Message, StringComparison.Ordinal);
    }

    private readonly struct Round : IOp
    {
        public string Name => "round";

        public Keep Keeps => Keep.None;

        public static bool Differentiable => false;

        public Tensor Forward(in Inputs x, ref Extras extras)
        {
            var y = x.A.EmptyLike();
            y.Backend.Copy(x.A.View, y.View);
            return y;
        }

        public void Backward(in Saved saved, Tensor dy, IGradients into) => throw new NoGradient("round has no gradient.");
    }
}

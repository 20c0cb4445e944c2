using Sfn.Backends;

namespace Sfn.Tests.Ops;

/// <summary>All ops of the engine with sample inputs: the one place to touch when an op is added.</summary>
public static class OpTable
{
    public static OpCase[] All { get; } =
    [
        .. Unary("exp", x => x.Exp()),
        .. Unary("log", x => x.Log(), 0.2, 3),
        .. Unary("sqrt", x => x.Sqrt(), 0.2, 3),
        .. Unary("rsqrt", x => x.Rsqrt(), 0.2, 3),
        .. Unary("tanh", x => x.Tanh()),
        .. Unary("sigmoid", x => x.Sigmoid()),
        .. Unary("erf", x => x.Erf()),
        .. Unary("relu", x => x.Relu(), avoid: [0]),
        .. Unary("gelu", x => x.Gelu()),
        .. Unary("gelu_erf", x => x.GeluErf()),
        .. Unary("silu", x => x.Silu()),
        .. Unary("abs", x => x.Abs(), avoid: [0]),
        .. Unary("square", x => x.Square()),
        .. Unary("reciprocal", x => x.Reciprocal(), 0.4, 3),
        .. Unary("neg", x => -x),
        .. Unary("clamp", x => x.Clamp(-1, 0.75f), avoid: [-1, 0.75]),
        .. Unary("pow 3", x => x.Pow(3)),
        .. Unary("pow -1.5", x => x.Pow(-1.5f), 0.4, 3),
        .. Unary("pow 2.3", x => x.Pow(2.3f), 0.4, 3),
        .. Unary("shift", x => x + 1.25),
        .. Unary("scale", x => 1.7 * x),
        .. Unary("number minus x", x => 0.3 - x),
        .. Unary("x minus number", x => x - 0.3),
        .. Unary("x over number", x => x / 3),
        .. Unary("number over x", x => 2 / x, 0.4, 3),
        .. Unary("dropout", x => x.Dropout(0.4f, 5)),
        .. Binary("add", (a, b) => a + b),
        .. Binary("sub", (a, b) => a - b),
        .. Binary("mul", (a, b) => a * b),
        .. Binary("div", (a, b) => a / b, 0.5, 2),
        .. Binary("pow tensor", (a, b) => a.Pow(b), 0.5, 2),
        .. Binary("minimum", (a, b) => a.Minimum(b)),
        .. Binary("maximum", (a, b) => a.Maximum(b)),
        .. Binary("swiglu", (a, b) => a.SwiGlu(b)),
        .. Comparison("less", (a, b) => a.Less(b), a => a.Less(0.5)),
        .. Comparison("less_equal", (a, b) => a.LessEqual(b), a => a.LessEqual(0.5)),
        .. Comparison("greater", (a, b) => a.Greater(b), a => a.Greater(0.5)),
        .. Comparison("greater_equal", (a, b) => a.GreaterEqual(b), a => a.GreaterEqual(0.5)),
        .. Comparison("equal", (a, b) => a.EqualTo(b), a => a.EqualTo(0.5)),
        .. Comparison("not_equal", (a, b) => a.NotEqualTo(b), a => a.NotEqualTo(0.5)),
        new("where", [Bool(2, 3, 4), F(2, 3, 4), F(2, 3, 4)], x => Tensor.Where(x[0], x[1], x[2])) { Brief = true },
        new("where broadcast", [Bool(3, 1), F(1, 4), F([])], x => Tensor.Where(x[0], x[1], x[2])),
        new("where number as condition", [Ints(0, 2, 5), F(5), F(5)], x => Tensor.Where(x[0], x[1], x[2])),
        new("one input twice", [F(3, 4)], x => x[0] * x[0].Exp() + x[0]),

        .. Reduction("sum", x => x.Sum(), (x, d, k) => x.Sum(d, k)),
        .. Reduction("mean", x => x.Mean(), (x, d, k) => x.Mean(d, k)),
        .. Reduction("norm", x => x.Norm(), (x, d, k) => x.Norm(d, k)),
        .. Reduction("max", x => x.Max(), (x, d, k) => x.Max(d, k), empty: false),
        .. Reduction("min", x => x.Min(), (x, d, k) => x.Min(d, k), empty: false),
        .. Reduction("logsumexp", null, (x, d, k) => x.LogSumExp(d, k)),
        new("sum over two dims", [F(2, 3, 4)], x => x[0].Sum([0, 2])) { Brief = true },
        new("sum over two dims kept", [F(2, 3, 4)], x => x[0].Sum([0, -1], keepDim: true)),
        new("max with equals", [V([2, 3], 1, 3, 3, -1, -1, -2)], x => x[0].Max(1) * 1.0) { Differentiable = false, Special = true },
        new("argmax last", [F(3, 7)], x => x[0].ArgMax()) { Differentiable = false },
        new("argmax first of equals", [V([2, 4], 1, 3, 3, 0, -1, -1, -2, -1)], x => x[0].ArgMax()) { Differentiable = false },
        new("argmax first dim", [F(3, 7)], x => x[0].ArgMax(0)) { Differentiable = false },

        new("matmul", [F(5, 7), F(7, 3)], x => x[0].MatMul(x[1])) { Brief = true },
        new("matmul batched", [F(2, 3, 4, 5), F(2, 3, 5, 6)], x => x[0].MatMul(x[1])),
        new("matmul broadcast batch", [F(2, 1, 4, 5), F(3, 5, 2)], x => x[0].MatMul(x[1])),
        new("matmul one matrix for all", [F(2, 3, 4, 5), F(5, 2)], x => x[0].MatMul(x[1])) { Brief = true },
        new("matmul one left matrix", [F(4, 5), F(3, 5, 2)], x => x[0].MatMul(x[1])),
        new("matmul three batch dims", [F(2, 2, 2, 3, 4), F(2, 1, 2, 4, 3)], x => x[0].MatMul(x[1])),
        new("matmul transposed b", [F(4, 6), F(3, 6)], x => x[0].MatMul(x[1].Transpose())),
        new("matmul transposed a", [F(6, 4), F(6, 3)], x => x[0].Transpose().MatMul(x[1])),
        new("matmul vector row", [F(1, 9), F(9, 1)], x => x[0].MatMul(x[1])),
        new("matmul larger", [F(33, 65), F(65, 37)], x => x[0].MatMul(x[1])) { Tolerance = 5e-6 },
        new("matmul empty rows", [F(0, 5), F(5, 3)], x => x[0].MatMul(x[1])),
        new("matmul empty inner", [F(4, 0), F(0, 3)], x => x[0].MatMul(x[1])) { Zero = true },
        new("linear", [F(2, 3, 5), F(4, 5)], x => x[0].Linear(x[1])) { Brief = true },
        new("linear vector", [F(5), F(4, 5)], x => x[0].Linear(x[1])),
        new("linear bias", [F(2, 3, 5), F(4, 5), F(4)], x => x[0].Linear(x[1], x[2])) { Brief = true },
        new("linear bias residual", [F(2, 3, 5), F(4, 5), F(4), F(2, 3, 4)], x => x[0].Linear(x[1], x[2], x[3])) { Brief = true },
        new("linear wide bias residual", [F(2, 3, 5), F(4, 5), W(4), F(2, 3, 4)], x => x[0].Linear(x[1], x[2], x[3])) { Brief = true },
        // On tensor cores the factors are rounded to 10 bits of mantissa.
        new("linear wide bias tf32", [F(2, 3, 5), F(4, 5), W(4)], x => x[0].Linear(x[1], x[2], mode: MatMulMode.Tf32))
            { Brief = true, Tolerance = 8e-4, GradientTolerance = 8e-4 },
        new("logits", [F(2, 3, 5), F(4, 5)], x => x[0].Logits(x[1])) { Brief = true, WideResult = true },
        new("linear residual", [F(6, 5), F(4, 5), F(6, 4)], x => x[0].Linear(x[1], null, x[2])),
        new("linear larger", [F(2, 17, 48), F(40, 48), F(40), F(2, 17, 40)], x => x[0].Linear(x[1], x[2], x[3])) { Tolerance = 5e-6 },
        new("linear empty", [F(0, 5), F(4, 5), F(4)], x => x[0].Linear(x[1], x[2])),
        .. Activated(Activation.Gelu),
        .. Activated(Activation.Silu),
        .. Activated(Activation.Relu),
        new("block_linear", [F(2, 3, 12), F(3, 5, 4)], x => x[0].BlockLinear(x[1])) { Brief = true },
        new("block_linear one block", [F(5, 4), F(1, 3, 4)], x => x[0].BlockLinear(x[1])),
        new("block_linear vector", [F(12), F(3, 5, 4)], x => x[0].BlockLinear(x[1])),
        new("block_linear larger", [F(19, 64), F(4, 24, 16)], x => x[0].BlockLinear(x[1])),
        new("shuffle_linear l divides q", [F(2, 3, 6), F(2, 6, 3), F(3, 2, 4)], x => x[0].ShuffleLinear(x[1], x[2])) { Tolerance = 5e-6 },
        new("shuffle_linear l does not divide q", [F(2, 3, 8), F(4, 5, 2), F(4, 3, 5)], x => x[0].ShuffleLinear(x[1], x[2])) { Tolerance = 5e-6 },
        new("shuffle_linear other l", [F(5, 12), F(3, 4, 4), F(2, 5, 6)], x => x[0].ShuffleLinear(x[1], x[2])) { Tolerance = 5e-6 },
        new("shuffle_linear larger", [F(17, 32), F(4, 16, 8), F(4, 24, 16)], x => x[0].ShuffleLinear(x[1], x[2])) { Tolerance = 5e-6 },

        new("shuffle_linear wide bias", [F(2, 3, 6), F(2, 6, 3), F(3, 2, 4), W(6)], x => x[0].ShuffleLinear(x[1], x[2], x[3]))
            { Tolerance = 5e-6, Brief = true, BriefRoundings = 2 },
        new("shuffle_linear wide bias, l does not divide q", [F(2, 3, 8), F(4, 5, 2), F(4, 3, 5), W(12)], x => x[0].ShuffleLinear(x[1], x[2], x[3]))
            { Tolerance = 5e-6, Brief = true, BriefRoundings = 2 },

        .. Softmaxes("softmax", (x, d) => x.Softmax(d)),
        .. Softmaxes("log_softmax", (x, d) => x.LogSoftmax(d)),
        new("layernorm", [F(2, 3, 8), W(8), W(8)], x => x[0].LayerNorm(x[1], x[2])) { Brief = true },
        new("layernorm of one type", [F(5, 9), F(9), F(9)], x => x[0].LayerNorm(x[1], x[2])) { Brief = true },
        new("layernorm no bias", [F(5, 33), W(33)], x => x[0].LayerNorm(x[1])) { Brief = true },
        new("layernorm vector", [F(7), F(7), F(7)], x => x[0].LayerNorm(x[1], x[2], 0.1f)),
        new("layernorm empty", [F(0, 7), F(7), F(7)], x => x[0].LayerNorm(x[1], x[2])),
        new("rmsnorm", [F(2, 3, 8), W(8)], x => x[0].RmsNorm(x[1])) { Brief = true },
        new("rmsnorm wide", [F(5, 67), F(67)], x => x[0].RmsNorm(x[1], 0.1f)),
        new("rmsnorm empty", [F(0, 7), F(7)], x => x[0].RmsNorm(x[1])),
        new("cross_entropy", [F(5, 7), Ids([5], 6, 0, 3, 3, 1)], x => x[0].CrossEntropy(x[1])) { Brief = true, WideResult = true },
        new("cross_entropy ignore", [F(2, 3, 19), Ids([2, 3], -100, 0, 18, -100, 7, 7)], x => x[0].CrossEntropy(x[1])),
        new("cross_entropy other ignore", [F(4, 7), Ids([4], 0, 2, 0, 5)], x => x[0].CrossEntropy(x[1], ignore: 0)),
        new("cross_entropy all ignored", [F(2, 7), Ids([2], -100, -100)], x => x[0].CrossEntropy(x[1])) { Zero = true },
        new("cross_entropy bytes", [F(3, 7), Ids([3], 6, 0, 3) with { Type = DType.U8 }], x => x[0].CrossEntropy(x[1])),
        new("cross_entropy scaled", [F(3, 7), Ids([3], 6, 0, 3), F([])], x => x[0].CrossEntropy(x[1]) * x[2]),
        new("linear_cross_entropy", [F(5, 4), F(7, 4), Ids([5], 6, 0, 3, 3, 1)], x => x[0].LinearCrossEntropy(x[1], x[2]))
            { Brief = true, WideResult = true },
        new("linear_cross_entropy ignore", [F(2, 3, 4), F(9, 4), Ids([2, 3], -100, 0, 8, -100, 7, 7)], x => x[0].LinearCrossEntropy(x[1], x[2])),
        new("linear_cross_entropy chunks", [F(300, 3), F(5, 3), Ints(0, 5, 300)], x => x[0].LinearCrossEntropy(x[1], x[2]))
            { Brief = true, WideResult = true },
        new("linear_cross_entropy chunks, not recorded", [F(300, 3), F(5, 3), Ints(0, 5, 300)], x => x[0].LinearCrossEntropy(x[1], x[2]))
            { Differentiable = false, Brief = true, WideResult = true },

        new("gather", [F(6, 3), Ints(0, 6, 2, 4)], x => x[0].Gather(x[1])) { Brief = true },
        new("gather rows of matrices", [F(5, 2, 3), Ints(0, 5, 7)], x => x[0].Gather(x[1])),
        new("gather vector", [F(6), Ints(0, 6, 9)], x => x[0].Gather(x[1])),
        new("gather one", [F(6, 3), Ids([], 4)], x => x[0].Gather(x[1])),
        new("gather by U16", [F(6, 3), Ints(0, 6, 5) with { Type = DType.U16 }], x => x[0].Gather(x[1])),
        new("gather nothing", [F(6, 3), Ints(0, 6, 0)], x => x[0].Gather(x[1])),
        new("scatter_add", [F(6, 3), Ints(0, 6, 9), F(9, 3)], x => x[0].ScatterAdd(x[1], x[2])),
        new("scatter_add vector", [F(6), Ints(0, 3, 9), F(9)], x => x[0].ScatterAdd(x[1], x[2])),
        new("rope", [F(2, 3, 2, 8), Table(3, 4), Table(3, 4)], x => x[0].Rope(x[1], x[2])) { Brief = true },
        new("rope from a position", [F(1, 3, 5, 6), Table(9, 3), Table(9, 3)], x => x[0].Rope(x[1], x[2], 4)),

        .. Attentions(),

        new("concat rows", [F(2, 3), F(1, 3), F(4, 3)], x => Tensor.Concat([x[0], x[1], x[2]])) { Brief = true },
        new("concat columns", [F(2, 3), F(2, 1)], x => Tensor.Concat([x[0], x[1]], -1)),
        new("concat six", [F(1, 2), F(2, 2), F(1, 2), F(3, 2), F(1, 2), F(2, 2)], x => Tensor.Concat(x)),
        new("concat one twice", [F(2, 3)], x => Tensor.Concat([x[0], x[0]])),
        new("concat with empty", [F(2, 3), F(0, 3)], x => Tensor.Concat([x[0], x[1]])),
        .. Views(),
    ];

    public static OpCase Find(string name) => All.Single(c => c.Name == name);

    private static Arg F(params int[] shape) => new(shape);

    private static Arg W(params int[] shape) => new(shape) { Wide = true };

    private static Arg Bool(params int[] shape) => new(shape, 0, 2) { Type = DType.Bool };

    private static Arg Ints(int low, int high, params int[] shape) => new(shape, low, high) { Type = DType.I32 };

    private static Arg Ids(int[] shape, params double[] values) => new(shape) { Type = DType.I32, Values = values };

    private static Arg V(int[] shape, params double[] values) => new(shape) { Values = values };

    // Whole numbers as floats: some are equal.
    private static Arg Whole(params int[] shape)
    {
        var ints = Ints(0, 4, shape);
        return ints with { Type = DType.F32, Gradient = false, Values = ints.Draw((ulong)shape.Length) };
    }

    private static Arg Table(params int[] shape) => new(shape) { Gradient = false, Wide = true };

    private static OpCase[] Unary(string name, Func<Tensor, Tensor> f, double low = -2, double high = 2, double[]? avoid = null)
    {
        Arg Sample(params int[] shape) => new(shape, low, high) { Avoid = avoid ?? [] };
        return
        [
            new(name, [Sample(2, 3, 7)], x => f(x[0])) { Special = true, Brief = true, BriefRoundings = name == "dropout" ? 2 : 1 },
            new(name + " scalar", [V([], 0.59375)], x => f(x[0])) { Zero = name == "dropout" },
            new(name + " empty", [Sample(3, 0, 2)], x => f(x[0])),
        ];
    }

    private static OpCase[] Binary(string name, Func<Tensor, Tensor, Tensor> f, double low = -2, double high = 2)
    {
        Arg Sample(params int[] shape) => new(shape, low, high);
        OpCase Case(string what, Arg a, Arg b) => new(name + what, [a, b], x => f(x[0], x[1]));
        return
        [
            Case("", Sample(2, 3, 7), Sample(2, 3, 7)) with { Special = true, Brief = true },
            Case(" rows", Sample(2, 3, 7), Sample(7)),
            Case(" column", Sample(3, 1), Sample(2, 3, 5)),
            Case(" outer", Sample(4, 1), Sample(1, 5)),
            Case(" scalar", Sample(2, 3), Sample()),
            Case(" two scalars", Sample(), Sample()),
            Case(" empty", Sample(0, 3), Sample(1, 3)),
            Case(" six dims", Sample(2, 1, 3, 1, 2, 1), Sample(1, 2, 1, 2, 2, 3)),
        ];
    }

    private static OpCase[] Comparison(string name, Func<Tensor, Tensor, Tensor> f, Func<Tensor, Tensor> number) =>
    [
        new(name, [Whole(4, 9), Whole(4, 9)], x => f(x[0], x[1])) { Differentiable = false, Special = true, Brief = true },
        new(name + " broadcast", [F(3, 1), F(4)], x => f(x[0], x[1])) { Differentiable = false },
        new(name + " integers", [Ints(-3, 3, 5, 7), Ints(-3, 3, 5, 7)], x => f(x[0], x[1])) { Differentiable = false },
        new(name + " number", [V([4], 0.25, 0.5, 0.75, -0.5)], x => number(x[0])) { Differentiable = false },
    ];

    private static OpCase[] Reduction(string name, Func<Tensor, Tensor>? all, Func<Tensor, int, bool, Tensor> along, bool empty = true)
    {
        var cases = new List<OpCase>();
        if (all is not null)
        {
            cases.Add(new(name, [F(2, 3, 7)], x => all(x[0])) { Special = true, Brief = true, BriefRoundings = 2 });
            cases.Add(new(name + " of a scalar", [new([], 0.5, 2)], x => all(x[0])));
        }
        for (int dim = 0; dim < 3; dim++)
        {
            int d = dim;
            cases.Add(new($"{name} dim {d}", [F(2, 3, 7)], x => along(x[0], d, false)) { Special = true });
            cases.Add(new($"{name} dim {d} kept", [F(2, 3, 7)], x => along(x[0], d - 3, true)));
        }
        cases.Add(new(name + " wide rows", [F(3, 83)], x => along(x[0], 1, false)));
        cases.Add(new(name + " long columns", [F(83, 3)], x => along(x[0], 0, false)));
        if (empty) cases.Add(new(name + " no rows", [F(0, 3)], x => along(x[0], 1, false)));
        return [.. cases];
    }

    private static OpCase[] Activated(Activation activation) =>
    [
        new($"linear {activation}", [F(3, 5), F(4, 5), F(4)], x => x[0].Linear(x[1], x[2], activation)),
        new($"linear {activation} fused", [F(2, 9, 20), F(19, 20), F(19)], x => x[0].Linear(x[1], x[2], activation)) { Differentiable = false },
    ];

    private static OpCase[] Softmaxes(string name, Func<Tensor, int, Tensor> f) =>
    [
        new(name, [F(2, 3, 7)], x => f(x[0], -1)) { Special = true, Brief = true },
        new(name + " dim 0", [F(2, 3, 7)], x => f(x[0], 0)),
        new(name + " dim 1", [F(2, 3, 7)], x => f(x[0], 1)),
        new(name + " vector", [F(9)], x => f(x[0], 0)),
        new(name + " wide", [F(3, 83)], x => f(x[0], -1)),
        new(name + " one column", [F(3, 1)], x => f(x[0], -1)) { Zero = true },
        new(name + " no rows", [F(0, 3)], x => f(x[0], -1)),
        new(name + " no columns", [F(3, 0)], x => f(x[0], -1)),
    ];

    private static OpCase[] Attentions()
    {
        Arg mask = new Arg([2, 5], 0, 2) { Type = DType.Bool, Values = [1, 1, 0, 1, 1, 1, 0, 1, 0, 0] };
        Arg blind = new Arg([2, 5], 0, 2) { Type = DType.Bool, Values = [0, 0, 1, 1, 1, 0, 0, 0, 0, 0] };
        OpCase Case(string what, Arg q, Arg k, bool causal, Arg? m = null, float? scale = null)
        {
            Tensor Call(Tensor[] x) => Tensor.Attention(x[0], x[1], x[2], causal, m is null ? null : x[3], scale);
            return new("attention " + what, m is null ? [q, k, k] : [q, k, k, m], Call) { Tolerance = 5e-6, GradientTolerance = 2e-5, Brief = true };
        }
        return
        [
            Case("causal", F(2, 5, 2, 6), F(2, 5, 2, 6), true),
            Case("all", F(2, 5, 2, 6), F(2, 5, 2, 6), false),
            Case("grouped heads", F(2, 5, 4, 6), F(2, 5, 2, 6), true),
            Case("one key head", F(1, 4, 3, 8), F(1, 4, 1, 8), false),
            Case("fewer queries", F(2, 3, 2, 4), F(2, 5, 2, 4), true),
            Case("fewer queries, all", F(2, 3, 2, 4), F(2, 5, 2, 4), false),
            Case("one query", F(2, 1, 4, 4), F(2, 7, 2, 4), true),
            Case("fewer keys", F(1, 5, 2, 4), F(1, 3, 2, 4), true),
            Case("mask", F(2, 5, 2, 6), F(2, 5, 2, 6), true, mask),
            Case("mask, all", F(2, 3, 4, 6), F(2, 5, 2, 6), false, mask),
            Case("queries without keys", F(2, 5, 2, 6), F(2, 5, 2, 6), true, blind),
            Case("scale", F(1, 3, 1, 5), F(1, 3, 1, 5), true, scale: 0.3f),
            Case("head of one", F(1, 3, 2, 1), F(1, 3, 2, 1), true),
            Case("longer", F(1, 40, 2, 16), F(1, 40, 1, 16), true),
        ];
    }

    private static OpCase[] Views() =>
    [
        new("reshape", [F(2, 3, 4)], x => x[0].Reshape(4, -1)) { Brief = true },
        new("reshape of a transpose", [F(2, 3, 4)], x => x[0].Transpose().Reshape(2, 12)),
        new("reshape to a scalar", [F(1, 1)], x => x[0].Reshape(Shape.Create([]))),
        new("permute", [F(2, 3, 4)], x => x[0].Permute(2, 0, 1)),
        new("permute six", [F(2, 1, 3, 2, 1, 2)], x => x[0].Permute(5, 3, 1, 0, 2, 4)),
        new("transpose", [F(2, 3, 4)], x => x[0].Transpose(0, 1)),
        new("expand", [F(3, 1)], x => x[0].Expand([2, 3, 4])),
        new("expand scalar", [F([])], x => x[0].Expand([2, 3])),
        new("unsqueeze", [F(2, 3)], x => x[0].Unsqueeze(1)),
        new("unsqueeze last", [F(2, 3)], x => x[0].Unsqueeze(-1)),
        new("squeeze", [F(2, 1, 3)], x => x[0].Squeeze(-2)),
        new("narrow", [F(2, 5, 3)], x => x[0].Narrow(1, 1, 3)),
        new("narrow nothing", [F(2, 5)], x => x[0].Narrow(1, 2, 0)) { Zero = true },
        new("slice", [F(4, 5, 6)], x => x[0][1..3, ^2, 2..]),
        new("slices overlapping", [F(6, 2)], x => x[0][..4] * x[0][2..]),
        new("contiguous", [F(3, 4)], x => x[0].Transpose().Contiguous()),
        new("cast", [F(3, 4)], x => x[0].To(DType.F64).To(x[0].DType)),
        new("cast used twice", [F(3, 4)], x => x[0].To(DType.F64).To(x[0].DType) * x[0]),
    ];
}

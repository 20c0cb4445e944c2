using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Tests.Lanes;

/// <summary>Hand-written derivatives against dual numbers, and the proof that a wrong one would be found.</summary>
public class BodyTests
{
    public static TheoryData<string> Names => [.. BodyTable.All.Select(b => b.Name)];

    public static TheoryData<string> Differentiable => [.. BodyTable.All.Where(b => b.Differentiable).Select(b => b.Name)];

    [Theory, MemberData(nameof(Names))]
    public void Forward_is_the_formula_and_backward_its_exact_derivative(string name) => Assert.Null(Find(name).Verify());

    [Theory, MemberData(nameof(Names))]
    public void A_forward_off_by_a_thousandth_is_rejected(string name) => Assert.NotNull(Find(name).Verify(forward: 1.001));

    [Theory, MemberData(nameof(Differentiable))]
    public void A_gradient_off_by_a_thousandth_is_rejected(string name)
    {
        var body = Find(name);
        // The derivative of a constant stays 0 under any factor.
        if (name == "pow 0") return;
        Assert.NotNull(body.Verify(backwardA: 1.001));
        if (body.Binary) Assert.NotNull(body.Verify(backwardB: 1.001));
    }

    [Fact]
    public void Every_body_of_the_engine_is_in_the_table()
    {
        var bodies = typeof(Tensor).Assembly.GetTypes().Where(t => t.IsValueType && t.Namespace == "Sfn.Ops"
            && (typeof(IUnary).IsAssignableFrom(t) || typeof(IBinary).IsAssignableFrom(t)));
        var tested = BodyTable.All.Select(b => b.GetType().GetGenericArguments()[0]).Select(t => t.IsGenericType ? t.GetGenericTypeDefinition() : t).ToHashSet();
        Assert.Empty(bodies.Where(b => !tested.Contains(b)).Select(b => b.Name));
    }

    [Fact]
    public void Text_prints_formulas()
    {
        Assert.Equal("(x / (1 + exp((-x))))", Find("silu").Formula);
        Assert.Equal("min(max(x, -1.5), 2.25)", Find("clamp").Formula);
        Assert.Equal("(a > b ? 1 : 0)", Find("greater").Formula);
    }

    [Fact]
    public void Cost_counts_operations()
    {
        Assert.Equal(4, Find("silu").Operations);
        Assert.Equal(1, Find("add").Operations);
        Assert.Equal(2, Find("clamp").Operations);
    }

    private static BodyCase Find(string name) => BodyTable.All.Single(b => b.Name == name);
}

namespace Sfn.Kernels;

/// <summary>What the tape must hold on to for an op's gradient. A, B, C, D are the inputs in order.</summary>
[Flags]
public enum Keep
{
    /// <summary>The gradient needs nothing but dy.</summary>
    None = 0,
    /// <summary>The first input.</summary>
    A = 1,
    /// <summary>The second input.</summary>
    B = 2,
    /// <summary>The third input.</summary>
    C = 4,
    /// <summary>The fourth input.</summary>
    D = 8,
    /// <summary>The result.</summary>
    Output = 16,
}

/// <summary>An elementwise op of one input: its body, its gradient's body, and what the gradient reads. Fields are its parameters.</summary>
public interface IUnary
{
    /// <summary>Name of the op in reports and errors, lower case as in torch.</summary>
    static abstract string Name { get; }

    /// <summary>Which of x (<see cref="Keep.A"/>) and y (<see cref="Keep.Output"/>) <see cref="Backward"/> reads.</summary>
    static abstract Keep Keeps { get; }

    /// <summary>y = f(x).</summary>
    L Forward<L>(L x) where L : struct, ILane<L>;

    /// <summary>dx = f'(x)·dy. What <see cref="Keeps"/> does not name is passed as dy and must not be read.</summary>
    L Backward<L>(L x, L y, L dy) where L : struct, ILane<L>;
}

/// <summary>An elementwise op of two inputs, which broadcast.</summary>
public interface IBinary
{
    /// <summary>Name of the op in reports and errors.</summary>
    static abstract string Name { get; }

    /// <summary>Which of a, b and y the gradients read.</summary>
    static abstract Keep Keeps { get; }

    /// <summary>y = f(a, b).</summary>
    L Forward<L>(L a, L b) where L : struct, ILane<L>;

    /// <summary>da = ∂f/∂a · dy.</summary>
    L BackwardA<L>(L a, L b, L y, L dy) where L : struct, ILane<L>;

    /// <summary>db = ∂f/∂b · dy.</summary>
    L BackwardB<L>(L a, L b, L y, L dy) where L : struct, ILane<L>;
}

/// <summary>An associative combination with an identity, and what is done to each element before it: sum, sum of squares, max.</summary>
public interface IMonoid
{
    /// <summary>Name of the reduction.</summary>
    static abstract string Name { get; }

    /// <summary>The neutral element.</summary>
    L Identity<L>() where L : struct, ILane<L>;

    /// <summary>Applied to each element before combining.</summary>
    L Map<L>(L x) where L : struct, ILane<L>;

    /// <summary>a ∘ b.</summary>
    L Combine<L>(L a, L b) where L : struct, ILane<L>;
}

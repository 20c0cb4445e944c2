using Sfn.Kernels;

namespace Sfn.Tests.Lanes;

/// <summary>
/// Counts the operations of a body. Values are numbers of operations spent on them; a value used twice counts twice, as the formula printed
/// by <see cref="Text"/> does. A transcendental function counts as one.
/// </summary>
public readonly struct Cost(long operations) : ILane<Cost>
{
    public readonly long Operations = operations;

    public static Cost Of(double value) => default;

    public static Cost Of(float value) => default;

    public static Cost operator +(Cost a, Cost b) => Both(a, b, 1);

    public static Cost operator -(Cost a, Cost b) => Both(a, b, 1);

    public static Cost operator *(Cost a, Cost b) => Both(a, b, 1);

    public static Cost operator /(Cost a, Cost b) => Both(a, b, 1);

    public static Cost operator -(Cost a) => new(a.Operations + 1);

    public static Cost Fma(Cost a, Cost b, Cost c) => new(a.Operations + b.Operations + c.Operations + 2);

    public static Cost Min(Cost a, Cost b) => Both(a, b, 1);

    public static Cost Max(Cost a, Cost b) => Both(a, b, 1);

    public static Cost Abs(Cost x) => new(x.Operations + 1);

    public static Cost Sqrt(Cost x) => new(x.Operations + 1);

    public static Cost Floor(Cost x) => new(x.Operations + 1);

    public static Cost Exp(Cost x) => new(x.Operations + 1);

    public static Cost Log(Cost x) => new(x.Operations + 1);

    public static Cost Tanh(Cost x) => new(x.Operations + 1);

    public static Cost Erf(Cost x) => new(x.Operations + 1);

    public static Cost IfGreater(Cost a, Cost b, Cost then, Cost otherwise) => Both(Both(a, b, 1), Both(then, otherwise, 0), 0);

    public static Cost IfEqual(Cost a, Cost b, Cost then, Cost otherwise) => Both(Both(a, b, 1), Both(then, otherwise, 0), 0);

    private static Cost Both(Cost a, Cost b, long more) => new(a.Operations + b.Operations + more);
}

using System.Globalization;
using Sfn.Kernels;

namespace Sfn.Tests.Lanes;

/// <summary>Prints the formula of a body: run it on named variables and read <see cref="ToString"/>.</summary>
public readonly struct Text(string formula) : ILane<Text>
{
    private readonly string? _formula = formula;

    public override string ToString() => _formula ?? "0";

    public static Text Of(double value) => new(value.ToString("R", CultureInfo.InvariantCulture));

    public static Text Of(float value) => new(value.ToString("R", CultureInfo.InvariantCulture));

    public static Text operator +(Text a, Text b) => new($"({a} + {b})");

    public static Text operator -(Text a, Text b) => new($"({a} - {b})");

    public static Text operator *(Text a, Text b) => new($"{a}·{b}");

    public static Text operator /(Text a, Text b) => new($"({a} / {b})");

    public static Text operator -(Text a) => new($"(-{a})");

    public static Text Fma(Text a, Text b, Text c) => new($"({a}·{b} + {c})");

    public static Text Min(Text a, Text b) => new($"min({a}, {b})");

    public static Text Max(Text a, Text b) => new($"max({a}, {b})");

    public static Text Abs(Text x) => new($"|{x}|");

    public static Text Sqrt(Text x) => new($"√({x})");

    public static Text Floor(Text x) => new($"⌊{x}⌋");

    public static Text Exp(Text x) => new($"exp({x})");

    public static Text Log(Text x) => new($"log({x})");

    public static Text Tanh(Text x) => new($"tanh({x})");

    public static Text Erf(Text x) => new($"erf({x})");

    public static Text IfGreater(Text a, Text b, Text then, Text otherwise) => new($"({a} > {b} ? {then} : {otherwise})");

    public static Text IfEqual(Text a, Text b, Text then, Text otherwise) => new($"({a} = {b} ? {then} : {otherwise})");
}

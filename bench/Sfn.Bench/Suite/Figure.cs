namespace Sfn.Bench.Suite;

/// <summary>One result of the suite.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Value">The rate or ratio; null if it could not be measured.</param>
/// <param name="Unit">Its unit.</param>
/// <param name="Limit">The limit, in the same unit; null where there is none.</param>
/// <param name="LimitName">What the limit is.</param>
/// <param name="Error">Largest deviation that the verification found, relative to the size of what was summed; null where nothing is computed.</param>
/// <param name="Note">Why there is no value, or what else is worth knowing.</param>
internal sealed record Figure(
    string Name, double? Value, string Unit, double? Limit = null, string? LimitName = null, double? Error = null, string? Note = null)
{
    /// <summary>Value / limit.</summary>
    public double? Share => Value / Limit;
}
